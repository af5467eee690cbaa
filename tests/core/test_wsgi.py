"""The web process: a port of its own, and a stop that finishes what it began."""

import http.client
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import socketio

from tests.core.processes_seen import end, make_stub_shop, start, wait_until
from tests.running import free_port

Serve = Callable[..., "subprocess.Popen[str]"]
SHIPPED = "SOCKET_SECONDS = 20 "
SHORT_SECONDS = 4
LATE_SECONDS = 3  # on a slow machine; each piece that came gave as long again, if it had any effect


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """The folder of a stub shop."""
    return make_stub_shop(tmp_path / "shop")


@pytest.fixture
def serve(shop: Path, port: int) -> Iterator[Serve]:
    """Starts `python wsgi.py` on `port` and waits until it answers."""
    started = []

    def serve(**environ: str) -> "subprocess.Popen[str]":
        process = start(shop, "wsgi.py", PORT=str(port), **environ)
        started.append(process)
        wait_until(lambda: process.poll() is not None or get(port, "/healthz/ready") == process.pid)
        return process

    yield serve
    for process in started:
        end(process)


def get(port: int, path: str) -> object:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", path)
        body = connection.getresponse().read().decode()
        return int(body) if body.isdigit() else body
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


class SlowRequest:
    """A request that is being worked on until it is let end."""

    def __init__(self, port: int, shop: Path):
        self.answers: list[object] = []
        self._shop = shop
        self._thread = threading.Thread(target=lambda: self.answers.append(get(port, "/slow")))
        self._thread.start()
        wait_until((shop / "slow-began").exists)

    def let_end(self) -> None:
        (self._shop / "slow-may-end").touch()
        self._thread.join()


def refuses(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except ConnectionRefusedError:
        return True
    return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_request_in_flight_is_finished_before_the_process_ends_well(
    serve: Serve, port: int, shop: Path, number: signal.Signals
) -> None:
    web = serve()
    request = SlowRequest(port, shop)

    web.send_signal(number)
    wait_until(lambda: refuses(port))
    refused_by = web.poll()
    request.let_end()

    assert refused_by is None  # it took no new request while it worked on the old one
    assert web.wait(6) == 0
    assert request.answers == ["finished"]


def test_an_endless_stream_does_not_hold_up_the_stop(serve: Serve, port: int) -> None:
    web = serve()
    stream = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    stream.request("GET", "/live/stream")
    assert stream.getresponse().read(4) == b"data"
    began = time.monotonic()

    web.send_signal(signal.SIGTERM)

    assert web.wait(6) == 0
    assert time.monotonic() - began < 2.0


def test_sockets_are_told_that_the_server_goes(serve: Serve, port: int) -> None:
    web = serve()
    client = socketio.Client(reconnection=False)
    client.connect(f"http://127.0.0.1:{port}", transports=["websocket"])
    gone = threading.Event()
    client.on("disconnect", lambda *_: gone.set())

    web.send_signal(signal.SIGTERM)

    assert gone.wait(30)
    assert web.wait(6) == 0


def test_small_pieces_of_a_stream_arrive_at_once(serve: Serve, port: int) -> None:
    serve()
    stream = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    stream.request("GET", "/live/stream")

    assert stream.getresponse().fp.read1(64).endswith(b"data: beat\n\n\r\n")
    stream.close()


def test_a_connection_that_is_over_waits_for_no_garbage_collector(serve: Serve, port: int) -> None:
    serve()

    for _ in range(30):
        get(port, "/healthz/ready")

    wait_until(lambda: get(port, "/kept") == "kept 1")  # the one that asks


def test_whoever_sends_half_a_request_is_let_go_of_after_socket_seconds_however_slowly_its_head_comes(
    serve: Serve, port: int, shop: Path
) -> None:
    shorten_socket_seconds(shop / "wsgi.py")
    serve()
    heads = (b"", b"GE", b"GET /healthz/ready HTTP/1.1\r\nHost: sh")
    body = b"GET /healthz/ready HTTP/1.1\r\nHost: shop\r\nContent-Length: 100\r\n\r\nha"

    began = time.monotonic()
    ended = [ends_at(port, half, drips) for half in heads for drips in (False, True)]
    ended.append(ends_at(port, body, drips=False))

    took = [end() - began for end in ended]
    assert all(SHORT_SECONDS - 0.5 <= seconds <= SHORT_SECONDS + LATE_SECONDS for seconds in took), took
    wait_until(lambda: get(port, "/kept") == "kept 1")


def shorten_socket_seconds(wsgi: Path) -> None:
    """Let the stub shop wait for a few seconds where the real one waits for 20."""
    source = wsgi.read_text()
    assert SHIPPED in source
    wsgi.write_text(source.replace(SHIPPED, f"SOCKET_SECONDS = {SHORT_SECONDS} "))


def ends_at(port: int, half: bytes, drips: bool) -> Callable[[], float]:
    """When the server ends a connection over which came half a request and, if it drips, a letter each second."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=1)
    connection.sendall(half)
    end: list[float] = []

    def wait() -> None:
        with connection:
            for _ in range(60):
                try:
                    if not connection.recv(100):
                        break
                except TimeoutError:
                    if drips:
                        connection.sendall(b"x")
                except OSError:
                    break
        end.append(time.monotonic())

    waiting = threading.Thread(target=wait)
    waiting.start()

    def ended() -> float:
        waiting.join(70)
        return end[0]

    return ended


def test_a_taken_port_is_a_clear_error(serve: Serve, port: int) -> None:
    serve()

    second = serve()

    assert second.wait(60) == 1
    told = second.communicate()[0]
    assert f"Port {port} is taken" in told and "Traceback" not in told


def test_two_web_processes_share_a_port(serve: Serve, port: int) -> None:
    processes = [serve(WEB_PROCESSES="2"), serve(WEB_PROCESSES="2")]

    seen = set()
    wait_until(lambda: seen.add(get(port, "/healthz/ready")) or len(seen) == 2)  # type: ignore[func-returns-value]

    assert seen == {process.pid for process in processes}


def test_a_wsgi_module_that_is_imported_is_not_patched(tmp_path: Path) -> None:
    shop = make_stub_shop(tmp_path / "shop")
    code = "import wsgi, sys, threading; print(wsgi.app.name, 'eventlet' in sys.modules)"

    process = start(shop, "-c", code)

    assert process.communicate()[0].strip() == "storefront False"


def test_threads_serve_the_same_app_and_stop_well(serve: Serve, port: int) -> None:
    web = serve(ASYNC_MODE="threading")

    web.send_signal(signal.SIGTERM)

    assert web.wait(6) == 0
