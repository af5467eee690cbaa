"""The settlement: Redis is told how a reservation ended, after SQL has decided it."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from redis.exceptions import RedisError
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from storefront.core.db import transaction
from storefront.stock import keys, scripts
from storefront.stock.models import Reservation
from storefront.stock.outcomes import StockChecking
from storefront.stock.stockroom import Stockroom

_TOMBSTONE = text(
    "INSERT INTO reservations"
    " (id, shopper, sku, units, state, created_at_ms, expires_at_ms, ended_at_ms, extensions)"
    " VALUES (:id, '', :sku, 0, 'expired', :now_ms, :now_ms, :now_ms, 0)"
    " ON CONFLICT (id) DO NOTHING"
)


@dataclass(frozen=True)
class Ended:
    """A reservation of which SQL has let go: `ordered` units went into an order, the rest comes back."""

    id: str
    sku: str
    ordered: int = 0
    staying: int = 0
    created_at_ms: int = 0  # of the grant that was ordered


def bury(session: Session, sku: str, ids: Iterable[str], now_ms: int) -> None:
    """Write tombstones for reservations SQL never heard of, so that their late rows fail."""
    session.connection().execute(_TOMBSTONE, [{"id": one, "sku": sku, "now_ms": now_ms} for one in sorted(ids)])


def settle_all(room: Stockroom, ended: Sequence[Ended]) -> None:
    """Drop ended reservations in Redis, which gives back what was not ordered; twice does no harm.

    Never fails: SQL has let go already. What cannot be told to Redis now, a repair or rebuild will.
    """

    def question(_epoch: int) -> list:
        pipeline = room.redis.pipeline(transaction=False)
        for one in ended:
            scripts.settle(pipeline, keys.of(one.sku), one.sku, one.id, one.staying, one.ordered, one.created_at_ms)
        return pipeline.execute()

    if ended:
        with suppress(StockChecking, RedisError):
            room.ask(ended[0].sku, question, closed=lambda _: False)


def follow_sql(room: Stockroom, sku: str, ids: Sequence[str], now_ms: int) -> dict[str, str]:
    """Do with holds in Redis what SQL says has become of them; return the state of each row.

    One that SQL never heard of (its process died before the journal) gets a tombstone.
    """
    with transaction(room.engine) as session:
        bury(session, sku, ids, now_ms)
        rows = session.scalars(select(Reservation).where(Reservation.id.in_(ids))).all()
    for row in rows:
        if row.state == "active" and row.expires_at_ms > now_ms:
            move_deadline(room, sku, row.id, row.expires_at_ms)
    settle_all(room, [ended_of(row) for row in rows if row.state != "active"])
    return {row.id: row.state for row in rows}


def ended_of(row: Reservation) -> Ended:
    """What SQL says has become of a reservation."""
    return Ended(
        row.id,
        row.sku,
        ordered=row.units if row.state == "sold" else 0,
        staying=row.units if row.state == "active" else 0,
        created_at_ms=row.created_at_ms,
    )


def move_deadline(room: Stockroom, sku: str, reservation_id: str, deadline_ms: int) -> None:
    """Tell Redis the later deadline that SQL has; like settle_all it never fails."""

    def question(_epoch: int) -> int | None:
        return scripts.extend(room.redis, [keys.due(sku)], reservation_id, deadline_ms)

    with suppress(StockChecking, RedisError):
        room.ask(sku, question, closed=lambda _: False)
