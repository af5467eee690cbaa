"""The repair: finish or undo, from SQL, what a process left half-done when it died.

Every step is safe to repeat. It runs every few seconds and looks at what changed since it last ran.
"""

from collections.abc import Sequence

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
ORPHAN_MS = 10_000  # who is about to write the row of a hold has given up by then
SLICE = 100
SKUS_PER_CALL = 500
HOLDS_PER_CALL = 500


def repair(room: Stockroom) -> dict[str, int]:
    """Settle ended reservations, apply missing movements, end orphans; return how many of each were looked at."""
    now_ms = room.now_ms()
    repaired_at_ms = int(room.unfenced.get(keys.REPAIRED_AT) or 0)
    since_ms = repaired_at_ms - OVERLAP_MS
    settled = _settle_ended(room, since_ms)
    applied = catch_up(room, changed_since(room, since_ms - IMPORT_MS))
    orphans = _end_orphans(room, repaired_at_ms - ORPHAN_MS, now_ms)
    room.unfenced.set(keys.REPAIRED_AT, now_ms)
    return {"settled": settled, "applied": applied, "orphans": orphans}


def _settle_ended(room: Stockroom, since_ms: int) -> int:
    query = select(Reservation).where(Reservation.ended_at_ms >= since_ms)
    seen = 0
    with Session(room.engine) as session:
        for rows in session.scalars(query.execution_options(yield_per=SLICE)).partitions():
            settle_all(room, [ended_of(row) for row in rows])
            seen += len(rows)
    return seen


def _end_orphans(room: Stockroom, granted_since_ms: int, now_ms: int) -> int:
    """End holds in Redis that SQL has let go of, or never heard of; return how many were looked at.

    A hold past its deadline is looked at until it is gone. One whose process died before the journal
    (or lost the answer from Redis) is found once, 10 s after it was granted: while nobody has
    extended it, its deadline tells when that was.
    """
    skus = _all_skus(room)
    seen = 0
    for sku, ids in _due_between(room, skus, 0, now_ms - OVERDUE_MS):
        follow_sql(room, sku, ids, now_ms)
        seen += len(ids)
    for sku, ids in _due_between(room, skus, granted_since_ms + room.hold_ms, now_ms - ORPHAN_MS + room.hold_ms):
        orphans = _without_row(room, ids)
        if orphans:
            follow_sql(room, sku, orphans, now_ms)
            seen += len(orphans)
    return seen


def _all_skus(room: Stockroom) -> Sequence[str]:
    with Session(room.engine) as session:
        return session.scalars(select(StockLevel.sku)).all()


def _due_between(room: Stockroom, skus: Sequence[str], least_ms: int, most_ms: int) -> list[tuple[str, list[str]]]:
    """Each of `skus` with holds whose deadline lies in this time, at most 500 at a time."""
    found: list[tuple[str, list[str]]] = []
    for start in range(0, len(skus), SKUS_PER_CALL):
        some, page = skus[start : start + SKUS_PER_CALL], 0
        while some:
            ids = _page(room, some, least_ms, most_ms, page)
            found += [(sku, of_sku) for sku, of_sku in zip(some, ids, strict=True) if of_sku]
            some = [sku for sku, of_sku in zip(some, ids, strict=True) if len(of_sku) == HOLDS_PER_CALL]
            page += 1
    return found


def _page(room: Stockroom, skus: Sequence[str], least_ms: int, most_ms: int, page: int) -> list[list[str]]:
    def question(_epoch: int) -> list[list[str]]:
        pipeline = room.redis.pipeline(transaction=False)
        for sku in skus:
            first = page * HOLDS_PER_CALL
            pipeline.zrangebyscore(keys.due(sku), least_ms, most_ms, start=first, num=HOLDS_PER_CALL)
        return pipeline.execute()

    return room.ask("", question, closed=lambda _: False)


def _without_row(room: Stockroom, ids: Sequence[str]) -> list[str]:
    with Session(room.engine) as session:
        known = set(session.scalars(select(Reservation.id).where(Reservation.id.in_(ids))))
    return [one for one in ids if one not in known]
