"""A sale as an operator sees it: what was decided, how the queue stands, and the report."""

from dataclasses import asdict
from typing import Any

from redis.exceptions import RedisError

from storefront.core.errors import Unavailable
from storefront.core.times import iso
from storefront.stock.stockroom import Stockroom
from storefront.waiting_room import sales
from storefront.waiting_room.models import Sale
from storefront.waiting_room.outcomes import Queue
from storefront.waiting_room.report import report


def facts_of(sale: Sale) -> dict[str, Any]:
    """What was decided of a sale, and when it came to which state."""
    return {
        "slug": sale.slug,
        "title": sale.title,
        "state": sale.state,
        "message": sale.message,
        "skus": sorted(sale.skus),
        "opens_at": iso(sale.opens_at_ms),
        "opened_at": _iso(sale.opened_at_ms),
        "sold_out_at": _iso(sale.sold_out_at_ms),
        "closed_at": _iso(sale.closed_at_ms),
        "lobby_seconds": sale.lobby_seconds,
        "shuffle": sale.shuffle,
        "rate": sale.rate,
        "active_most": sale.active_most,
        "limit": sale.limit_units,
        "pass_seconds": sale.pass_seconds,
        "grace_seconds": sale.grace_seconds,
        "one_per_email": sale.one_per_email,
    }


def everything_of(room: Stockroom, sale: Sale) -> dict[str, Any]:
    """All of a sale; `queue` is None while its queue or the stock cannot be trusted."""
    seen = look(room, sale.slug)
    return {**facts_of(sale), "queue": queue_of(seen) if seen else None, "report": asdict(report(room, sale))}


def look(room: Stockroom, slug: str) -> Queue | None:
    """The queue of a sale now; None where it cannot be seen, or is just being built."""
    try:
        return sales.look(room, slug)[0]
    except (Unavailable, RedisError):
        return None


def queue_of(seen: Queue) -> dict[str, Any]:
    """How the queue stands; the outflow is that of the last minute."""
    minutes = seen.span_ms / 60_000
    return {
        "waiting": seen.waiting,
        "active": seen.active,
        "admitted": seen.admitted,
        "joined": seen.joined,
        "available": seen.available,
        "held": seen.held,
        "admitted_per_minute": round(seen.came / minutes, 1),
        "left_per_minute": round(seen.left / minutes, 1),
        "epoch": seen.epoch,
    }


def _iso(at_ms: int | None) -> str | None:
    return iso(at_ms) if at_ms else None
