"""The proof: what Redis says can be sold follows from what SQL knows, for every SKU."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from storefront.core.errors import Unavailable
from storefront.stock import keys
from storefront.stock.models import Reservation, StockLevel, StockMovement
from storefront.stock.rebuild import is_open
from storefront.stock.stockroom import Stockroom

SKUS_PER_CALL = 500
PAUSE_SECONDS = 0.5


@dataclass(frozen=True)
class Drift:
    """One thing that is not as it should be: `expected` by SQL, `found` in Redis or in another table."""

    sku: str
    what: str
    expected: int
    found: int | None


def verify(room: Stockroom, patience_seconds: float = 15.0) -> list[Drift]:
    """Compare Redis with SQL for every SKU; return what differs, nothing where all is well.

    Work in flight looks like drift for a moment, and what a killed process left is mended by the
    repair job within seconds; so what differs is looked at again until `patience_seconds` are over.
    Raises Unavailable while the gate is closed.
    """
    deadline = time.monotonic() + patience_seconds
    drifts = _look(room, _all_skus(room))
    while drifts and time.monotonic() < deadline:
        time.sleep(PAUSE_SECONDS)
        drifts = _look(room, sorted({drift.sku for drift in drifts}))
    return drifts


def _all_skus(room: Stockroom) -> Sequence[str]:
    with Session(room.engine) as session:
        return session.scalars(select(StockLevel.sku).order_by(StockLevel.sku)).all()


def _look(room: Stockroom, skus: Sequence[str]) -> list[Drift]:
    if not is_open(room):
        raise Unavailable("The gate is closed: the numbers in Redis wait for a rebuild (flask stock rebuild).")
    drifts: list[Drift] = []
    for start in range(0, len(skus), SKUS_PER_CALL):
        some = skus[start : start + SKUS_PER_CALL]
        drifts += _compare(room, some)
    return drifts


def _compare(room: Stockroom, skus: Sequence[str]) -> list[Drift]:
    with Session(room.engine) as session:
        rows = session.scalars(select(StockLevel).where(StockLevel.sku.in_(skus)).order_by(StockLevel.sku)).all()
        active = _active(session, skus)
        ledger = _ledger(session, skus)
    pipeline = room.unfenced.pipeline(transaction=False)
    for row in rows:
        pipeline.hmget(keys.level(row.sku), "available", "number")
        pipeline.hgetall(keys.holds(row.sku))
    answers = pipeline.execute()
    drifts: list[Drift] = []
    for row, (available, number), holds in zip(rows, answers[::2], answers[1::2], strict=True):
        drifts += _ledger_drifts(row, ledger.get(row.sku, (0, 0, 0)))
        drifts += _redis_drifts(row, active.get(row.sku, {}), available, number, holds)
    return drifts


def _active(session: Session, skus: Sequence[str]) -> dict[str, dict[str, int]]:
    rows = session.execute(
        select(Reservation.sku, Reservation.id, Reservation.units).where(
            Reservation.state == "active", Reservation.sku.in_(skus)
        )
    )
    active: dict[str, dict[str, int]] = {}
    for sku, reservation_id, units in rows:
        active.setdefault(sku, {})[reservation_id] = units
    return active


def _ledger(session: Session, skus: Sequence[str]) -> dict[str, tuple[int, int, int]]:
    movement = StockMovement
    sums = (func.sum(movement.on_hand), func.sum(movement.committed), func.sum(movement.unavailable))
    rows = session.execute(select(movement.sku, *sums).where(movement.sku.in_(skus)).group_by(movement.sku))
    return {row[0]: (int(row[1]), int(row[2]), int(row[3])) for row in rows}


def _ledger_drifts(row: StockLevel, sums: tuple[int, int, int]) -> list[Drift]:
    level = (row.on_hand, row.committed, row.unavailable)
    names = ("on_hand", "committed", "unavailable")
    return [
        Drift(row.sku, f"{name}: the ledger's sum against the level", expected, found)
        for name, expected, found in zip(names, sums, level, strict=True)
        if expected != found
    ]


def _redis_drifts(
    row: StockLevel, active: dict[str, int], available: str | None, number: str | None, holds: dict[str, str]
) -> list[Drift]:
    if available is None or number is None:
        return [Drift(row.sku, "available: the counter is missing", row.on_hand, None)]
    held = {reservation_id: int(hold.partition(":")[0]) for reservation_id, hold in holds.items()}
    free = row.on_hand - row.unavailable - row.committed - sum(active.values())
    checks = (
        ("available: on hand - unavailable - committed - active", free, int(available)),
        ("movements applied", row.number, int(number)),
        ("units in active reservations", sum(active.values()), sum(held.values())),
        ("active reservations that Redis does not hold", 0, len(active.keys() - held.keys())),
        ("holds that are not active in SQL", 0, len(held.keys() - active.keys())),
    )
    return [Drift(row.sku, what, expected, found) for what, expected, found in checks if expected != found]
