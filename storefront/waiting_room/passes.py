"""Passes: whether a shopper was let in to a sale, and may reserve now."""

import logging
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from uuid import uuid4

from sqlalchemy import event, select
from sqlalchemy.orm import Session

from storefront.core.errors import Unavailable
from storefront.stock import levels
from storefront.stock.models import StockLevel
from storefront.stock.outcomes import LimitReached, PassRequired
from storefront.stock.stockroom import Stockroom
from storefront.waiting_room import keys, queue

log = logging.getLogger(__name__)

TURN_MS = 5_000
WHY = {
    "none": "Join its waiting room; you are let in when it is your turn.",
    "spent": "Your pass was for one order, and you have placed it.",
    "no_show": "You were let in, but did not come in time. Join the waiting room again.",
    "expired": "Your pass has run out. Join the waiting room again.",
    "left": "You have left this sale. Join its waiting room again.",
}


@contextmanager
def admission(room: Stockroom, slug: str, shopper: str, sku: str, units: int) -> Iterator[str]:
    """The permit to reserve `units` of `sku` in a sale, for the length of a block.

    Raises PassRequired (with the reason), and LimitReached where the SKUs of the sale together would be too
    many; that of a single SKU is counted by the reservation itself.
    """
    place = queue.arrive(room, slug, shopper)
    if place.state not in ("granted", "arrived"):
        raise PassRequired(WHY[place.state], sku=sku, sale=slug, ticket=place.state)
    seen, _ = queue.look(room, slug)
    if len(seen.skus) == 1:
        yield slug
        return
    with _turn(room, slug, shopper):
        taken = levels.demand(room, seen.skus, [shopper]).taken[shopper]
        if taken + units > seen.limit_units:
            raise LimitReached(f"At most {seen.limit_units} per shopper in this sale.", limit=seen.limit_units, sku=sku)
        yield slug


@contextmanager
def _turn(room: Stockroom, slug: str, shopper: str) -> Iterator[None]:
    """One reservation of a shopper at a time: two at once would each find room under the limit."""
    key, mine = keys.turn(slug, shopper), uuid4().hex
    if not room.redis.set(key, mine, nx=True, px=TURN_MS):
        raise Unavailable("Your other click is still being answered. Please try again in a moment.")
    try:
        yield
    finally:
        if room.redis.get(key) == mine:
            room.redis.delete(key)


def end_with(room: Stockroom, session: Session, shopper: str, skus: Collection[str]) -> None:
    """Let the passes to the sales of `skus` end once `session` has committed: a pass is for one order."""
    restricted = select(StockLevel.sale).where(StockLevel.sku.in_(skus), StockLevel.sale.is_not(None))
    slugs = [slug for slug in session.scalars(restricted.distinct()) if slug]
    if slugs:
        event.listen(session, "after_commit", lambda _session: _end(room, slugs, shopper), once=True)


def _end(room: Stockroom, slugs: Sequence[str], shopper: str) -> None:
    """Whatever goes wrong, the order stands; the tick ends the passes of those who have all they may have."""
    for slug in slugs:
        try:
            queue.spend(room, slug, [shopper])
        except Exception:
            log.warning("a pass to the sale %s could not be ended with its order", slug, exc_info=True)
