"""The wire: what a room hears is framed once, and written straight to each of its WebSockets.

As they come, python-socketio and python-engineio frame a message anew for each client, put it into a
queue and wake a green thread that writes it: several times the cost of the write itself. Here the
thread that has something to say writes it, without waiting; only a client that cannot take it gets a
thread, which waits until it can. Such a slow reader holds the newest value of each key, not a queue.

Everything else (handshake, polling, upgrade, acknowledgements, rooms) stays the library's. This
module leans on inner parts of it, so it is laid only where these are as they were when it was tested
(see `PROVEN`); elsewhere messages go the library's own way, and the log says so.
"""

import logging
import struct
import time
from collections import deque
from collections.abc import Callable
from importlib.metadata import version
from typing import Any
from weakref import ref

from engineio import Server
from engineio.exceptions import SocketIsClosedError, UnknownPacketError
from engineio.packet import MESSAGE, PING, Packet
from engineio.socket import Socket
from flask_socketio import SocketIO
from socketio import RedisManager
from socketio.packet import EVENT

from storefront.core.hand_over import CONNECTION
from storefront.live.counts import counts
from storefront.live.doors import KEEP_OPEN
from storefront.live.line import Line, offer_all

PROVEN = {"python-engineio": "4.15.", "python-socketio": "5.18.", "eventlet": "0.41."}
MOST_PER_SECOND = 300  # messages of a client, refused ones too, before it is cut
RETURN_SECONDS = 10  # for a client that polls to come back after its handshake, which it does at once
OF_THE_REQUEST = "wsgi.input", "eventlet.input", "eventlet.set_idle", KEEP_OPEN, CONNECTION
MOST_WAITING = 200  # frames that are not of a key (acknowledgements, pings) before a client that reads none is cut

log = logging.getLogger(__name__)


def lay(socketio: SocketIO) -> bool:
    """Let `socketio` write straight to its WebSockets; return whether it does."""
    engine = socketio.server.eio
    strange = _what_is_strange(engine)
    if strange:
        log.warning("messages go to the clients one by one: %s", strange)
        return False
    engine.__class__ = _StraightServer
    engine._async = {**engine._async, "websocket": _without_compression(engine._async["websocket"])}
    engine.pings = Rounds(engine, engine.ping_interval, _StraightSocket.ping)
    engine.newcomers = Rounds(engine, RETURN_SECONDS, _StraightSocket.end_unless_back)
    return True


def _what_is_strange(engine: Any) -> str:
    if engine.async_mode != "eventlet":
        return f"nothing is known of straight writes under {engine.async_mode}"
    if type(engine) is not Server:
        return f"{type(engine).__name__} is no engineio.Server"
    found = {name: version(name) for name in PROVEN}
    return ", ".join(
        f"{name} {found[name]} is not {PROVEN[name]}*" for name in PROVEN if found[name][:5] != PROVEN[name]
    )


class Manager(RedisManager):
    """The library's rooms over Redis, and beside each the wires of those in it."""

    def __init__(self, *arguments: Any, **options: Any):
        super().__init__(*arguments, **options)
        self._wires: dict[str, dict[str, Wire]] = {}

    def basic_enter_room(self, sid: str, namespace: str, room: str, eio_sid: str | None = None) -> None:
        super().basic_enter_room(sid, namespace, room, eio_sid=eio_sid)
        socket = self.server.eio.sockets.get(self.eio_sid_from_sid(sid, namespace))
        wire = socket and socket.queue
        if type(wire) is Wire and room and room != sid:
            self._wires.setdefault(room, {})[sid] = wire

    def basic_leave_room(self, sid: str, namespace: str, room: str) -> None:
        super().basic_leave_room(sid, namespace, room)
        wires = self._wires.get(room)
        if wires and wires.pop(sid, None) and not wires:
            del self._wires[room]

    def broadcast(self, room: str, event: str, data: Any, key: str) -> None:
        """Emit to everybody in `room` in this process; of a `key` a slow client hears the newest only."""
        packet = Packet(MESSAGE, self.server.packet_class(EVENT, namespace="/", data=[event, data]).encode())
        wires = self._wires.get(room, {})
        offer_all(wires.values(), key, frame_of(packet.encode()))
        if len(wires) < len(self.rooms.get("/", {}).get(room, ())):
            for sid, engine_id in list(self.get_participants("/", room)):
                if sid not in wires:
                    self.server.eio.send_packet(engine_id, packet)


def frame_of(message: str | bytes) -> bytes:
    """A message as one unmasked WebSocket frame (RFC 6455, section 5.2)."""
    payload, first = (message.encode(), 0x81) if isinstance(message, str) else (message, 0x82)
    length = len(payload)
    if length < 126:
        return struct.pack("!BB", first, length) + payload
    if length < 65_536:
        return struct.pack("!BBH", first, 126, length) + payload
    return struct.pack("!BBQ", first, 127, length) + payload


class Wire(Line):
    """The line to a WebSocket's client: stands where the library has the queue of its socket."""

    __slots__ = ("_closing", "_waiting", "_websocket")

    def __init__(self, websocket: Any, start: Callable[..., Any]):
        super().__init__(websocket.socket, start, websocket._sendlock)
        self._websocket = websocket
        self._closing = False
        self._waiting: list[bytes] | None = None

    def put(self, packet: Packet | None) -> None:
        """Send a packet of the library's; None: there are no more, close."""
        if packet is None:
            self._closing = True
            self.wake()
        elif self.busy:
            self._keep(frame_of(packet.encode()))
        else:
            self.send(frame_of(packet.encode()))

    def join(self) -> None:
        """Nothing is held back here that the library would have to wait for."""

    def _keep(self, frame: bytes) -> None:
        if self._waiting is None:
            self._waiting = []
        self._waiting.append(frame)
        if len(self._waiting) == MOST_WAITING:
            counts["cut_reads_nothing"] += 1
            self.hang_up()

    def take(self) -> bytes:
        packets, self._waiting = self._waiting or [], None
        return b"".join(packets) + super().take()

    def rest(self) -> None:
        super().rest()
        if self._closing:
            self._websocket.close()


class Rounds:
    """Calls on sockets, on each after the same time; one thread for all of them."""

    def __init__(self, engine: Server, seconds: float, call: "Callable[[_StraightSocket], object]"):
        self._engine = engine
        self._seconds = seconds
        self._call = call
        self._due: deque[tuple[float, ref[_StraightSocket]]] = deque()

    def add(self, socket: "_StraightSocket") -> None:
        self._due.append((time.monotonic() + self._seconds, ref(socket)))  # who has left is not kept for a call
        if len(self._due) == 1:
            self._engine.start_background_task(self._call_all)

    def _call_all(self) -> None:
        while self._due:
            due, socket = self._due[0]
            self._engine.sleep(max(0.0, due - time.monotonic()))
            self._call_one(socket())
            self._due.popleft()  # not sooner: with nobody due, `add` would start a second thread

    def _call_one(self, client: "_StraightSocket | None") -> None:
        try:
            if client:
                self._call(client)
        except Exception:
            log.exception("a client's turn went wrong, others have theirs")


class _StraightServer(Server):
    """An Engine.IO server whose WebSockets have a wire, and whose pings share a thread."""

    pings: Rounds
    newcomers: Rounds

    def _trigger_event(self, event: str, *args: Any, **kwargs: Any) -> Any:
        if event == "connect":
            socket = self.sockets[args[0]]
            socket.__class__ = _StraightSocket
            self.newcomers.add(socket)
        return super()._trigger_event(event, *args, **kwargs)

    def _handle_connect(self, environ: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        try:
            return super()._handle_connect(environ, *args, **kwargs)
        finally:  # python-socketio keeps the environ for as long as the session
            for key in OF_THE_REQUEST:
                environ.pop(key, None)


class _StraightSocket(Socket):
    """An Engine.IO socket that needs one thread while its client is connected: the one that reads from it."""

    connected: bool  # by polling, or as a WebSocket
    upgraded: bool
    came_back = False
    last_ping: float | None
    queue: Any
    heard: tuple[int, int] = 0, 0  # in which second, how many messages

    def schedule_ping(self) -> None:
        if self.last_ping:
            self.last_ping = None
            self.server.pings.add(self)

    def ping(self) -> None:
        if not self.closing and not self.closed:
            self.last_ping = time.time()
            self.send(Packet(PING))

    def end_unless_back(self) -> None:
        if not (self.came_back or self.upgraded or self.closed):
            self.close(wait=False, abort=True, reason=self.server.reason.TRANSPORT_CLOSE)
            self.server.sockets.pop(self.sid, None)

    def handle_get_request(self, environ: dict[str, Any], start_response: Any) -> Any:
        self.came_back = self.connected
        return super().handle_get_request(environ, start_response)

    def handle_post_request(self, environ: dict[str, Any]) -> None:
        self.came_back = True
        super().handle_post_request(environ)

    def _websocket_handler(self, websocket: Any) -> list[bytes]:
        if self.connected:  # it polled before: the library knows how to upgrade it, and goes on with its queue
            return super()._websocket_handler(websocket)
        self.connected = self.upgraded = True
        websocket.socket.settimeout(self.server.ping_interval + self.server.ping_timeout)
        queue, self.queue = self.queue, Wire(websocket, self.server.start_background_task)
        while not queue.empty():
            self.queue.put(queue.get())
        while self._read(websocket):
            pass
        self.queue.hang_up()
        self.close(wait=False, abort=True, reason=self.server.reason.TRANSPORT_CLOSE)
        return []

    def _read(self, websocket: Any) -> bool:
        """Take in one message; whether there may be another."""
        try:
            data = websocket.wait()
            if data is None or len(data) > self.server.max_http_buffer_size or self._chatters():
                return False
            self.receive(Packet(encoded_packet=data))
        except UnknownPacketError:
            pass
        except (OSError, ValueError, SocketIsClosedError):  # gone, silent for too long, or not speaking our language
            return False
        except Exception:
            log.exception("a client's message could not be taken in")
            return False
        return True

    def _chatters(self) -> bool:
        """Whether the client sends more than anybody needs; each message would cost a green thread."""
        second, times = self.heard
        now = int(time.monotonic())
        self.heard = now, times + 1 if now == second else 1
        if times < MOST_PER_SECOND:
            return False
        counts["cut_sends_too_much"] += 1
        return True


def _without_compression(driver: type) -> type:
    """The driver's WebSocket upgrade, which here never agrees to compress: it costs 90 KB for each client."""

    class Upgrade(driver):
        def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
            environ.pop("HTTP_SEC_WEBSOCKET_EXTENSIONS", None)
            return super().__call__(environ, start_response)

    return Upgrade
