"""Live: the way of a stock change from Redis to every open page."""

from flask import Flask
from flask_socketio import SocketIO
from redis import Redis

from storefront.core.config import Settings
from storefront.core.tools import keep, take
from storefront.live import events, poll, routes, stream
from storefront.live.doors import Doors
from storefront.live.relay import Relay
from storefront.live.rooms import Rooms, message_queue
from storefront.live.streams import Streams


def init_app(app: Flask) -> None:
    """Add the snapshot, SSE and long-poll routes; they need a relay, so they answer only in a serving process."""
    for blueprint in (routes.api, stream.live, poll.live):
        app.register_blueprint(blueprint)


def serve(app: Flask, settings: Settings, bus: Redis) -> SocketIO:
    """Add Socket.IO to `app` and start the relay that feeds it. `bus` is a client of the stock's Redis."""
    with app.app_context():
        url = take("redis_url")
        room = take("stockroom")
    socketio = SocketIO(
        app, async_mode=settings.async_mode, client_manager=message_queue(url), manage_session=False,
        max_http_buffer_size=16_384, ping_interval=25, ping_timeout=20,
    )  # fmt: skip
    streams = Streams(socketio.start_background_task)
    relay = Relay(room, bus, settings.push_interval_ms, Rooms(socketio), streams)
    keep(app, "relay", lambda: relay)
    keep(app, "streams", lambda: streams)
    doors = Doors(
        settings.live_connections, settings.live_connections_per_address, lambda: len(socketio.server.eio.sockets)
    )
    keep(app, "doors", lambda: doors)
    app.wsgi_app = doors.guard(app.wsgi_app)  # type: ignore[method-assign]
    app.extensions["say_goodbye"] = lambda: _say_goodbye(socketio, streams)
    events.register(socketio)
    socketio.start_background_task(relay.run)
    return socketio


def _say_goodbye(socketio: SocketIO, streams: Streams) -> None:
    """Let go of every client that is connected; each comes back after a moment of its own choosing."""
    for connection in list(socketio.server.eio.sockets.values()):
        connection.close(wait=False)
    streams.dismiss()
