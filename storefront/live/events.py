"""Socket.IO events from clients: watch, unwatch, reserve, watch_sale."""

import logging
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from flask import request
from flask_socketio import SocketIO, join_room, leave_room

from storefront.cart import basket
from storefront.core import strict_json
from storefront.core.deadline import deadline
from storefront.core.errors import CrossOrigin, InvalidInput, refusal_of
from storefront.core.security import same_origin
from storefront.core.shopper import shopper
from storefront.core.tools import take
from storefront.live.allowance import Allowance, TooManyEvents, TooManySkus
from storefront.live.counts import counts
from storefront.live.rooms import room_of
from storefront.live.snapshot import check_skus
from storefront.waiting_room.routes import ticket_of

ALLOWANCE = "stockbeat.allowance"  # in the environ of the handshake
NAMELESS = "stockbeat.shopper"  # in the environ of a handshake without cookie, which lives as long as the socket

WATCHED_SALES = "stockbeat.sales"  # in the environ of the handshake

log = logging.getLogger(__name__)


class WatchedSales:
    """The sales that a socket watches: what ends each of them."""

    def __init__(self) -> None:
        self._ends: dict[str, Callable[[], None]] = {}
        self._is_over = False

    def begin(self, slug: str, end: Callable[[], None]) -> None:
        self.end(slug)
        self._ends[slug] = end
        if self._is_over:  # it hung up while it was being answered
            self.end(slug)

    def end(self, slug: str) -> None:
        self._ends.pop(slug, lambda: None)()

    def end_all(self) -> None:
        self._is_over = True
        for slug in list(self._ends):
            self.end(slug)


def register(socketio: SocketIO) -> None:
    """Answer the events of section "Live" of the contract on the default namespace."""
    for answer in (watch, unwatch, reserve, watch_sale):
        socketio.on_event(answer.__name__, _told(answer))
    socketio.on_event("disconnect", _stop_watching)


def watch(message: dict[str, Any]) -> dict[str, Any]:
    """Join the rooms of {"skus": […]} and return the snapshot."""
    skus = check_skus(message.get("skus"))
    _allowance().watch(skus)
    for sku in skus:  # first join, then read: nothing falls between
        join_room(room_of(sku))
    return take("relay").snapshot(skus)


def unwatch(message: dict[str, Any]) -> dict[str, Any]:
    """Leave the rooms of {"skus": […]}."""
    skus = check_skus(message.get("skus"))
    _allowance().unwatch(skus)
    for sku in skus:
        leave_room(room_of(sku))
    return {}


def reserve(message: dict[str, Any]) -> dict[str, Any]:
    """Add {"sku", "quantity", "click_id"} to the cart of the shopper whose cookie came with the handshake.

    A socket cannot set a cookie; one that came without is a shopper of its own, the same at every click.
    """
    if not same_origin(request.headers.get("Origin"), request.host):
        raise CrossOrigin("Changes are accepted from this shop's own pages only (a matching Origin header).")
    who = shopper() or request.environ.setdefault(NAMELESS, uuid4().hex)
    return basket.add(take("stockroom"), who, basket.check_wish(message)).as_json()


def watch_sale(message: dict[str, Any]) -> dict[str, Any]:
    """Hear of {"sale"} from now on; return how it stands, and the place of the shopper whose cookies came along."""
    slug = message.get("sale")
    if not isinstance(slug, str):
        raise InvalidInput("Give the slug of a sale as `sale`.")
    take("entrance").require(slug)
    _allowance().watch([f"sale:{slug}"])
    reader = take("rooms").reader_of(request.sid)  # type: ignore[attr-defined]
    watch = take("places").watch(slug, ticket_of(slug), reader)
    _watched_sales().begin(slug, watch.end)
    return {"sale": watch.sale, "place": watch.place}


def _watched_sales() -> WatchedSales:
    return request.environ.setdefault(WATCHED_SALES, WatchedSales())


def _stop_watching(*_: object) -> None:
    _watched_sales().end_all()


def _allowance() -> Allowance:
    """That of this socket: the environ of its handshake lives as long as it does."""
    return request.environ.setdefault(ALLOWANCE, Allowance())


def _checked(message: Any) -> dict[str, Any]:
    try:
        strict_json.check(message)
    except ValueError as error:
        raise InvalidInput("Send plain JSON.") from error
    if not isinstance(message, dict):
        raise InvalidInput("Send an object.")
    return message


def _told(answer: Any) -> Any:
    """The handler as Socket.IO calls it: a refusal becomes a problem document in the acknowledgement."""

    def handler(message: Any = None, *_more: Any) -> dict[str, Any]:
        try:
            _allowance().spend()
            with deadline():
                return answer(_checked(message))
        except Exception as error:  # without an answer the client would wait for ever
            refusal = refusal_of(error)
            if isinstance(refusal, TooManyEvents | TooManySkus):
                counts[refusal.code] += 1
            if refusal is not error:
                log.exception("a socket's message could not be answered")
            return refusal.problem()

    return handler
