"""The proof: what Redis says can be sold follows from what SQL knows, for every SKU."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from storefront.core.errors import Unavailable
from storefront.stock import keys
from storefront.stock.models import Reservation, StockLevel, StockMovement
from storefront.stock.rebuild import bought_of, is_open
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


def verify(room: Stockroom, patience_seconds: float = 20.0) -> list[Drift]:
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
        bought = {row.sku: bought_of(session, row.sku) for row in rows if row.limit_per_shopper is not None}
    drifts: list[Drift] = []
    for row, found in zip(rows, _in_redis(room, [row.sku for row in rows]), strict=True):
        drifts += _ledger_drifts(row, ledger.get(row.sku, (0, 0, 0, 0)))
        drifts += _redis_drifts(row, active.get(row.sku, {}), bought.get(row.sku, {}), found)
    return drifts


@dataclass(frozen=True)
class _InRedis:
    """What Redis holds of a SKU; units by reservation and by shopper."""

    available: int | None
    number: int | None
    holds: dict[str, int]
    deadlines: set[str]
    held: dict[str, int]
    bought: dict[str, int]


def _in_redis(room: Stockroom, skus: Sequence[str]) -> list[_InRedis]:
    pipeline = room.unfenced.pipeline(transaction=False)
    for sku in skus:
        pipeline.hmget(keys.level(sku), "available", "number")
        pipeline.hgetall(keys.holds(sku))
        pipeline.zrange(keys.due(sku), 0, -1)
        pipeline.hgetall(keys.held(sku))
        pipeline.hgetall(keys.bought(sku))
    answers = iter(pipeline.execute())
    return [_parse(*(next(answers) for _ in range(5))) for _ in skus]


def _parse(
    level: list[str | None], holds: dict[str, str], due: list[str], held: dict[str, str], bought: dict[str, str]
) -> _InRedis:
    available, number = (None if one is None else int(one) for one in level)
    units = {reservation_id: int(hold.partition(":")[0]) for reservation_id, hold in holds.items()}
    return _InRedis(available, number, units, set(due), _numbers(held), _numbers(bought))


def _numbers(units: dict[str, str]) -> dict[str, int]:
    return {shopper: int(one) for shopper, one in units.items()}


def _active(session: Session, skus: Sequence[str]) -> dict[str, dict[str, tuple[int, str]]]:
    """SKU -> reservation -> units, shopper."""
    rows = session.execute(
        select(Reservation.sku, Reservation.id, Reservation.units, Reservation.shopper).where(
            Reservation.state == "active", Reservation.sku.in_(skus)
        )
    )
    active: dict[str, dict[str, tuple[int, str]]] = {}
    for sku, reservation_id, units, shopper in rows:
        active.setdefault(sku, {})[reservation_id] = units, shopper
    return active


def _ledger(session: Session, skus: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """SKU -> sums of on hand, committed, unavailable, and how many movements have a number."""
    movement = StockMovement
    sums = (func.sum(movement.on_hand), func.sum(movement.committed), func.sum(movement.unavailable))
    numbered = func.count(movement.number)
    rows = session.execute(select(movement.sku, *sums, numbered).where(movement.sku.in_(skus)).group_by(movement.sku))
    return {sku: tuple(int(one) for one in sums) for sku, *sums in rows}


def _ledger_drifts(row: StockLevel, sums: tuple[int, ...]) -> list[Drift]:
    level = (row.on_hand, row.committed, row.unavailable, row.number)
    names = ("on_hand", "committed", "unavailable", "movements")
    drifts = [
        Drift(row.sku, f"{name}: the ledger's sum against the level", expected, found)
        for name, expected, found in zip(names, sums, level, strict=True)
        if expected != found
    ]
    missing = max(0, row.committed + row.unavailable - row.on_hand)
    return drifts if missing == row.shortfall else [*drifts, Drift(row.sku, "shortfall", missing, row.shortfall)]


def _redis_drifts(
    row: StockLevel, active: dict[str, tuple[int, str]], bought: dict[str, int], found: _InRedis
) -> list[Drift]:
    if found.available is None or found.number is None:
        return [Drift(row.sku, "available: the counter is missing", row.on_hand, None)]
    units = {reservation_id: one for reservation_id, (one, _) in active.items()}
    reserved = sum(units.values())
    by_shopper: dict[str, int] = {}
    for one, shopper in active.values():
        by_shopper[shopper] = by_shopper.get(shopper, 0) + one
    free = row.on_hand - row.unavailable - row.committed - reserved
    checks = (
        ("available: on hand - unavailable - committed - active", free, found.available),
        ("movements applied", row.number, found.number),
        ("units in active reservations", reserved, sum(found.holds.values())),
        ("active reservations that Redis does not hold", 0, len(units.keys() - found.holds.keys())),
        ("holds that are not active in SQL", 0, len(found.holds.keys() - units.keys())),
        ("holds of other units than in SQL", 0, _unlike(units, found.holds)),
        ("holds without a deadline, or deadlines without a hold", 0, len(found.holds.keys() ^ found.deadlines)),
        ("shoppers whose held units are miscounted", 0, _unlike(by_shopper, found.held)),
        ("shoppers whose bought units are miscounted", 0, _unlike(bought, found.bought)),
    )
    return [Drift(row.sku, what, expected, seen) for what, expected, seen in checks if expected != seen]


def _unlike(expected: dict[str, int], found: dict[str, int]) -> int:
    """How many entries differ; one that is missing on either side counts as 0."""
    return sum(expected.get(key, 0) != found.get(key, 0) for key in expected.keys() | found.keys())
