"""The receipt of a place: what one shopper can see of his own way through a sale, and how to check it."""

from dataclasses import dataclass
from typing import Any

from redis.exceptions import RedisError

from storefront.core.errors import Unavailable
from storefront.stock.stockroom import Stockroom
from storefront.waiting_room import keys, queue, sales
from storefront.waiting_room.outcomes import Place, Queue, Ticket
from storefront.waiting_room.report import Admitted, admissions, lot_of, revealed_seed
from storefront.waiting_room.sales import seed_hash


@dataclass(frozen=True)
class Receipt:
    """The place a shopper has in the line now, if any, and the times he was let in."""

    shopper: str
    title: str
    position: int | None  # None: not in the line, or not drawn yet
    ticket: Ticket | None  # of the place in the line
    joined_at_ms: int | None  # to it; as exactly as it was written down, twice a second
    lot: str | None  # of that place; None: not by lot, or the seed is secret still
    admitted: list[Admitted]
    seed: str | None  # None: secret still
    seed_hash: str
    shuffle: bool


def receipt(room: Stockroom, slug: str, ticket: Ticket) -> Receipt:
    """The receipt of the holder of `ticket`. Raises UnknownSale."""
    sale = sales.find(room, slug)
    seen, place = _look(room, slug, ticket)
    seed, mine = revealed_seed(sale), place.ticket
    return Receipt(
        shopper=ticket.shopper,
        title=sale.title,
        position=place.position,
        ticket=mine,
        joined_at_ms=_joined_at_ms(room, slug, seen, mine) if seen and mine else None,
        lot=lot_of(seed, ticket.shopper) if seed and mine and mine.drawn else None,
        admitted=admissions(room, sale, ticket.shopper),
        seed=seed,
        seed_hash=seed_hash(sale.seed),
        shuffle=sale.shuffle,
    )


def _look(room: Stockroom, slug: str, ticket: Ticket) -> tuple[Queue | None, Place]:
    """What was is in SQL, so it can be told while the queue cannot be seen."""
    try:
        seen, (place,) = queue.look(room, slug, [ticket])
    except (Unavailable, RedisError):
        return None, Place("none")
    return seen, place


def _joined_at_ms(room: Stockroom, slug: str, seen: Queue, ticket: Ticket) -> int | None:
    if ticket.drawn or ticket.epoch != seen.epoch:
        return None
    found: Any = room.redis.zrange(keys.arrivals(slug), ticket.ordinal, "inf", byscore=True, offset=0, num=1)
    return int(found[0]) if found else None
