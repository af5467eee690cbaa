"""The web process: patch, create_app(), serve; nothing else.

`python wsgi.py` serves. The `flask` command imports this file to find `app` and gets it unpatched.
"""

import os
import sys
import warnings

SERVING = __name__ == "__main__"
ASYNC_MODE = os.environ.get("ASYNC_MODE", "").strip() or "eventlet"

if SERVING and ASYNC_MODE == "eventlet":
    warnings.filterwarnings("ignore", message=r"\s*Eventlet is deprecated")
    import eventlet

    eventlet.monkey_patch()
elif SERVING and ASYNC_MODE == "gevent":
    from gevent import monkey

    monkey.patch_all()

import ctypes
import errno
import gc
import signal
import socket
import time
from collections.abc import Callable, Iterable
from typing import Any

from flask import Flask

from storefront import create_app
from storefront.core.hand_over import CONNECTION

BACKLOG = 2048  # a reconnect storm of 2,000 browsers hangs in the default of 50
GREEN_THREADS = 20_000  # one per open connection
BUFFER_BYTES = 2048  # two for each connection, as long as it is open; 8 and 16 KiB would be a third of a WebSocket
GC_THRESHOLDS = 20_000, 20, 100  # seldom: a full collection among thousands of connections takes 100 ms
TRIM_SECONDS = 30
IDLE_SECONDS = 75  # between two requests of one connection
SOCKET_SECONDS = 20  # for the head of a request to come, and for a client that does not read its answer
DRAIN_SECONDS = 4.0  # process managers kill 5 s after SIGTERM
POLL_SECONDS = 0.1
LAST_WORDS_SECONDS = 0.2  # for the close frames to leave
RESUMABLE = ("/live/", "/socket.io/")  # streams and long polls: their clients go on elsewhere

app = create_app(serving=SERVING)


class Gate:
    """The app behind a count of the requests that a stop has to wait for."""

    def __init__(self, wsgi_app: Callable[..., Iterable[bytes]]):
        self.wsgi_app = wsgi_app
        self.in_flight = 0

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"].startswith(RESUMABLE):
            if "HTTP_UPGRADE" in environ:  # a quiet WebSocket is no dead one, Engine.IO's pings tell them apart
                environ["eventlet.input"].get_socket().settimeout(None)
            return self.wsgi_app(environ, start_response)
        return self._counted(environ, start_response)

    def _counted(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        self.in_flight += 1
        try:
            answer = self.wsgi_app(environ, start_response)
            try:
                yield from answer
            finally:
                getattr(answer, "close", lambda: None)()
        except Exception:  # eventlet answers 500 and tells nobody
            app.logger.exception("%s %s was not answered to the end", environ["REQUEST_METHOD"], environ["PATH_INFO"])
            raise
        finally:
            self.in_flight -= 1


class Asked:
    """Whether SIGTERM or SIGINT came; green threads ask, because a handler must not switch between them."""

    def __init__(self) -> None:
        self.to_stop = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._note)

    def _note(self, _number: int, _frame: object) -> None:
        self.to_stop = True


class Connection:
    """That of a request under eventlet, see core/hand_over.py."""

    def __init__(self, state: list[Any]):
        """state: eventlet's own of the connection: address, socket, whether it is idle."""
        self._state = state
        self._socket = state[1]

    def hand_over(self) -> socket.socket:
        """The connection, whose headers are sent; the server closes a stand-in for it."""
        eventlet.wsgi.WSGI_LOCAL.already_handled = True  # else it would end the body
        self._socket = socket.socket(fileno=os.dup(self._state[1].fileno()))
        self._state[1].close()
        self._state[1] = socket.socket()
        return self._socket

    def when_gone(self, tell: Callable[[], object]) -> Callable[[], None]:
        """Have `tell` called when the client hangs up, or sends more than was asked for and cannot be watched."""
        hub = eventlet.hubs.get_hub()

        def look(_fileno: int) -> None:
            unwatch()
            if is_over(self._socket.fd):
                eventlet.spawn_n(tell)

        def unwatch() -> None:
            hub.remove(watch)
            watch.defang()  # not removed twice, and not held by what it calls

        watch = hub.add(hub.READ, self._socket.fileno(), look, lambda _error: None, None)
        return unwatch


def is_over(connection: socket.socket) -> bool:
    """Whether nothing will ever come on a connection; who only ends his own half has asked all he wants to."""
    try:
        return not connection.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    except OSError:
        return True


def give_back_memory() -> None:
    """Now and then let the system have the pages of what was freed; glibc keeps those between what is in use.

    They are many where green threads end, whose stacks lie there. It takes 1 ms, and 36 ms after 10,000 have gone.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # musl and macOS have none
    while trim:
        time.sleep(TRIM_SECONDS)
        trim(0)


def listen(port: int, share_port: bool) -> Any:
    """A listener on `port`, whose connections leave nothing behind for the garbage collector when they time out.

    That runs seldom here: what waits for it waits for hours, and meanwhile new memory is taken.
    """

    class Socket(eventlet.greenio.GreenSocket):
        def _trampoline(self, *arguments: Any, timeout_exc: object = None, **options: Any) -> Any:
            """Wait, with an error that is made when it is raised; eventlet's is there before, in a frame it holds."""
            return super()._trampoline(*arguments, timeout_exc=TimeoutError, **options)

    listener = eventlet.listen(("0.0.0.0", port), backlog=BACKLOG, reuse_port=share_port)
    listener.__class__ = Socket  # so are the connections that it accepts
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # as each connection inherits it
    return listener


def green_protocol() -> type:
    """HTTP as eventlet speaks it, within bounds, and leaving nothing behind either."""
    import eventlet.wsgi

    class Protocol(eventlet.wsgi.HttpProtocol):
        rbufsize = wbufsize = BUFFER_BYTES
        environ: dict[str, Any] | None = None

        def _read_request_line(self) -> bytes:
            """In one piece or in many, it has to come in time; eventlet gives each piece as long."""
            seconds = SOCKET_SECONDS if self.environ is None else IDLE_SECONDS
            with eventlet.Timeout(seconds, TimeoutError):
                return super()._read_request_line()

        def parse_request(self) -> bool:
            with eventlet.Timeout(SOCKET_SECONDS, TimeoutError):
                return super().parse_request()

        def get_environ(self) -> dict[str, Any]:
            environ = super().get_environ()
            if self.request_version == "HTTP/1.1":
                environ[CONNECTION] = Connection(self.conn_state)
            return environ

        def finish(self) -> None:
            self.environ = None  # a function in it holds this
            self.connection = self.conn_state[1]
            super().finish()

    return Protocol


def serve_eventlet(app: Flask, port: int, share_port: bool) -> None:
    """Serve on `port` until asked to stop, then let requests in flight finish for up to 4 s.

    share_port: whether other web processes may listen on the same port.
    """
    import eventlet.wsgi

    asked = Asked()
    gate = Gate(app)
    listener = listen(port, share_port)
    server = eventlet.spawn(
        eventlet.wsgi.server,
        listener,
        gate,
        protocol=green_protocol(),
        custom_pool=eventlet.GreenPool(GREEN_THREADS),
        minimum_chunk_size=0,  # else server-sent events wait until 4 KiB are full
        keepalive=IDLE_SECONDS,
        socket_timeout=SOCKET_SECONDS,
        log_output=False,
        debug=False,
    )
    eventlet.spawn(give_back_memory)
    gc.collect()
    gc.freeze()  # what lives as long as the process is not looked at again: no pauses
    gc.set_threshold(*GC_THRESHOLDS)
    while not asked.to_stop:
        if server.dead:
            server.wait()  # raises what ended it
        eventlet.sleep(POLL_SECONDS)
    drain(app, gate, server, listener)


def drain(app: Flask, gate: Gate, server: Any, listener: Any) -> None:
    """Take no more requests, say goodbye to sockets, wait up to 4 s for the requests in flight."""
    server.kill()  # accepts no more, closes the idle connections
    listener.close()
    app.extensions["say_goodbye"]()
    deadline = time.monotonic() + DRAIN_SECONDS
    while gate.in_flight and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS / 4)
    time.sleep(LAST_WORDS_SECONDS)


def serve_threads(app: Flask, port: int, share_port: bool) -> None:
    """Serve with a thread for each connection until SIGTERM or SIGINT; who is connected then is let go of."""
    from werkzeug.serving import make_server

    listener = socket.create_server(("0.0.0.0", port), backlog=BACKLOG, reuse_port=share_port)
    server = make_server("0.0.0.0", port, app, threaded=True, fd=listener.fileno())
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        server.serve_forever(POLL_SECONDS)
    except KeyboardInterrupt:
        listener.close()
        app.extensions["say_goodbye"]()
        time.sleep(LAST_WORDS_SECONDS)


def serve_gevent(app: Flask, port: int) -> None:
    """Serve under gevent; SIGTERM ends it as Ctrl-C does."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        app.extensions["socketio"].run(app, host="0.0.0.0", port=port)
    except KeyboardInterrupt:
        pass


def main() -> None:
    settings = app.extensions["settings"]
    try:
        shared = settings.web_processes > 1
        if ASYNC_MODE == "eventlet":
            serve_eventlet(app, settings.port, share_port=shared)
        elif ASYNC_MODE == "threading":
            serve_threads(app, settings.port, share_port=shared)
        else:
            serve_gevent(app, settings.port)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        sys.exit(f"Port {settings.port} is taken by another program: choose another one with PORT.")


if SERVING:
    main()
