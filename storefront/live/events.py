"""Socket.IO events from clients: watch, unwatch, reserve."""

from typing import Any

from flask import request
from flask_socketio import SocketIO, join_room, leave_room
from redis.exceptions import RedisError

from storefront.cart import basket
from storefront.cart.session import shopper_at_change
from storefront.core.errors import CrossOrigin, InvalidInput, Refusal, Unavailable
from storefront.core.security import same_origin
from storefront.core.tools import take
from storefront.live.rooms import room_of
from storefront.live.snapshot import check_skus, snapshot


def register(socketio: SocketIO) -> None:
    """Answer the events of section "Live" of the contract on the default namespace."""
    for event, answer in (("watch", watch), ("unwatch", unwatch), ("reserve", reserve)):
        socketio.on_event(event, _told(answer))


def watch(message: dict[str, Any]) -> dict[str, Any]:
    """Join the rooms of {"skus": […]} and return the snapshot."""
    skus = check_skus(message.get("skus"))
    for sku in skus:  # first join, then read: nothing falls between
        join_room(room_of(sku))
    return snapshot(take("stockroom"), skus)


def unwatch(message: dict[str, Any]) -> dict[str, Any]:
    """Leave the rooms of {"skus": […]}."""
    for sku in check_skus(message.get("skus")):
        leave_room(room_of(sku))
    return {}


def reserve(message: dict[str, Any]) -> dict[str, Any]:
    """Add {"sku", "quantity", "click_id"} to the cart of the shopper whose cookie came with the handshake."""
    if not same_origin(request.headers.get("Origin"), request.host):
        raise CrossOrigin("Changes are accepted from this shop's own pages only (a matching Origin header).")
    return basket.add(take("stockroom"), shopper_at_change(), basket.check_wish(message)).as_json()


def _told(answer: Any) -> Any:
    """The handler as Socket.IO calls it: a refusal becomes a problem document in the acknowledgement."""

    def handler(message: Any = None) -> dict[str, Any]:
        try:
            if not isinstance(message, dict):
                raise InvalidInput("Send an object.")
            return answer(message)
        except Refusal as refusal:
            return refusal.problem()
        except RedisError:
            return Unavailable("The shop cannot reach its stock counter. Nothing was changed.").problem()

    return handler
