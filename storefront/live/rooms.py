"""Socket.IO rooms: one per SKU, named here and nowhere else; and the lines to single clients."""

from typing import Any

from flask_socketio import SocketIO

from storefront.core.redis import plain_url, tls_options
from storefront.live import wire
from storefront.live.sales.letters import PollingReader, Reader, SocketReader

_PREFIX = "sku:"


def room_of(sku: str) -> str:
    """The room of everybody who watches `sku`."""
    return _PREFIX + sku


def message_queue(url: str) -> wire.Manager:
    """The queue over which all processes' emits reach all clients; given as an object, so that unix:// works too."""
    options = {"socket_connect_timeout": 1, "socket_timeout": 5, **tls_options(url)}
    return wire.Manager(plain_url(url), channel="flask-socketio", redis_options=options)


class Rooms:
    """The rooms of this process."""

    def __init__(self, socketio: SocketIO):
        self._socketio = socketio
        self._straight = wire.lay(socketio)

    def tell(self, state: dict[str, Any]) -> None:
        """Send a stock state to everybody in its room in this process; other processes have relays of their own."""
        room = room_of(state["sku"])
        if self._straight:
            self._socketio.server.manager.broadcast(room, "stock", state, key=room)
        else:
            self._socketio.emit("stock", state, to=room, ignore_queue=True)

    def reader_of(self, sid: str) -> Reader:
        """The line to one client, for what is meant for it alone."""
        server = self._socketio.server
        engine_socket = server.eio.sockets.get(server.manager.eio_sid_from_sid(sid, "/"))
        line = engine_socket and engine_socket.queue
        return SocketReader(line) if isinstance(line, wire.Wire) else PollingReader(self._socketio, sid)

    def watched(self) -> list[str]:
        """SKUs that somebody watches in this process."""
        rooms = list(self._socketio.server.manager.rooms.get("/", {}))
        return [room.removeprefix(_PREFIX) for room in rooms if isinstance(room, str) and room.startswith(_PREFIX)]
