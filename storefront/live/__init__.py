"""Live: the way of a stock change from Redis to every open page, and of news from the waiting room."""

from flask import Flask
from flask_socketio import SocketIO
from redis import Redis

from storefront.core.config import Settings
from storefront.core.tools import keep, take
from storefront.live import events, poll, routes, stream
from storefront.live.doors import Doors
from storefront.live.relay import Relay
from storefront.live.rooms import Rooms, message_queue
from storefront.live.sales import stream as sales_stream
from storefront.live.sales.places import Places
from storefront.live.streams import Streams
from storefront.waiting_room import keys as waiting_room_keys


def init_app(app: Flask) -> None:
    """Add the snapshot, SSE and long-poll routes; they need a relay, so they answer only in a serving process."""
    for blueprint in (routes.api, stream.live, sales_stream.live, poll.live):
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
    rooms = Rooms(socketio)
    relay = Relay(room, bus, settings.push_interval_ms, rooms, streams)
    places = Places(room)
    relay.hear_for(waiting_room_keys.CHANNEL, places.hear, places.look_again)
    keep(app, "rooms", lambda: rooms)
    keep(app, "relay", lambda: relay)
    keep(app, "places", lambda: places)
    keep(app, "streams", lambda: streams)
    doors = Doors(
        settings.live_connections, settings.live_connections_per_address, lambda: len(socketio.server.eio.sockets)
    )
    keep(app, "doors", lambda: doors)
    app.wsgi_app = doors.guard(app.wsgi_app)  # type: ignore[method-assign]
    app.extensions["say_goodbye"] = lambda: _say_goodbye(socketio, streams)
    events.register(socketio)
    socketio.start_background_task(relay.run)
    socketio.start_background_task(places.run)
    return socketio


def _say_goodbye(socketio: SocketIO, streams: Streams) -> None:
    """Let go of every client that is connected; each comes back after a moment of its own choosing."""
    for connection in list(socketio.server.eio.sockets.values()):
        connection.close(wait=False)
    streams.dismiss()
