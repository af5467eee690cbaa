"""The repair: finish or undo, from SQL, what a process left half-done when it died.

Every step is safe to repeat. It runs every few seconds and looks at what changed since it last ran.
"""

from collections.abc import Iterable, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from storefront.stock import keys
from storefront.stock.ledger import catch_up, changed_since
from storefront.stock.models import Reservation, StockLevel
from storefront.stock.settlement import ended_of, follow_sql, settle_all
from storefront.stock.stockroom import Stockroom

OVERLAP_MS = 10_000  # a transaction may commit this much later than the time it wrote into its rows
IMPORT_MS = 120_000  # the transaction of a big import
OVERDUE_MS = 2_000  # the sweep has had its chance
SLICE = 100
SKUS_PER_CALL = 500


def repair(room: Stockroom) -> dict[str, int]:
    """Settle ended reservations, apply missing movements, end orphans; return how many of each were looked at."""
    now_ms = room.now_ms()
    since_ms = int(room.unfenced.get(keys.REPAIRED_AT) or 0) - OVERLAP_MS
    settled = _settle_ended(room, since_ms)
    applied = catch_up(room, changed_since(room, since_ms - IMPORT_MS))
    overdue = _end_overdue(room, now_ms)
    room.unfenced.set(keys.REPAIRED_AT, now_ms)
    return {"settled": settled, "applied": applied, "overdue": overdue}


def _settle_ended(room: Stockroom, since_ms: int) -> int:
    query = select(Reservation).where(Reservation.ended_at_ms >= since_ms)
    seen = 0
    with Session(room.engine) as session:
        for rows in session.scalars(query.execution_options(yield_per=SLICE)).partitions():
            settle_all(room, [ended_of(row) for row in rows])
            seen += len(rows)
    return seen


def _end_overdue(room: Stockroom, now_ms: int) -> int:
    """Look at each hold that stands in Redis past its deadline and do with it what SQL says."""
    with Session(room.engine) as session:
        skus = session.scalars(select(StockLevel.sku)).all()
    seen = 0
    for start in range(0, len(skus), SKUS_PER_CALL):
        some = skus[start : start + SKUS_PER_CALL]
        for sku, ids in zip(some, _overdue(room, some, now_ms - OVERDUE_MS), strict=True):
            if ids:
                follow_sql(room, sku, ids, now_ms)
                seen += len(ids)
    return seen


def _overdue(room: Stockroom, skus: Sequence[str], before_ms: int) -> Iterable[list[str]]:
    def question(_epoch: int) -> list[list[str]]:
        pipeline = room.redis.pipeline(transaction=False)
        for sku in skus:
            pipeline.zrangebyscore(keys.due(sku), "-inf", before_ms, start=0, num=SLICE)
        return pipeline.execute()

    return room.ask("", question, closed=lambda _: False) if skus else []
