"""The ledger: every change of on hand, committed and unavailable is an immutable movement.

SQL comes first; Redis then applies the numbered movements of a SKU strictly in their order.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import NoReturn

from redis.exceptions import RedisError
from sqlalchemy import ColumnElement, case, func, select, update
from sqlalchemy.orm import Session

from storefront.core.errors import Unavailable
from storefront.stock import keys, levels, scripts
from storefront.stock.events import shortfall_raised
from storefront.stock.models import MAIN_LOCATION, StockLevel, StockMovement
from storefront.stock.outcomes import InsufficientStock, UnknownSku
from storefront.stock.stockroom import Stockroom

SLICE = 500


@dataclass(frozen=True)
class Change:
    """By how many units a movement changes each part of a level."""

    on_hand: int = 0
    committed: int = 0
    unavailable: int = 0

    @property
    def sellable(self) -> int:
        return self.on_hand - self.committed - self.unavailable


@dataclass(frozen=True)
class Reason:
    """Why a movement happened: words for people, the thing it belongs to, and when (Redis time)."""

    reason: str
    cause: str
    now_ms: int
    shopper: str = ""  # whose limit it counts for


def record(
    session: Session, sku: str, kind: str, change: Change, why: Reason, *, held: bool = False, force: bool = False
) -> None:
    """Write one movement and move the level with it, in the caller's transaction.

    `held`: a reservation took the units out of Redis before, so the movement gets no number.
    `force`: a fact that cannot be refused (a count, a loss); what is then committed but not there
    becomes a shortfall. Raises UnknownSku, and InsufficientStock where the movement would promise
    units that are not there.
    """
    level = StockLevel
    left = (level.on_hand + change.on_hand) - (
        level.unavailable + change.unavailable + level.committed + change.committed
    )
    statement = update(level).where(level.sku == sku, level.location == MAIN_LOCATION)
    if change.sellable < 0 and not force:
        statement = statement.where(left >= 0)
    numbered = (change.sellable != 0 or kind == "cancelled") and not held  # Redis counts what a shopper has bought
    row = session.execute(
        statement.values(
            on_hand=level.on_hand + change.on_hand,
            committed=level.committed + change.committed,
            unavailable=level.unavailable + change.unavailable,
            shortfall=case((left < 0, -left), else_=0),
            number=level.number + int(numbered),
        ).returning(level.number, level.shortfall),
        execution_options={"synchronize_session": False},
    ).one_or_none()
    if row is None:
        _refuse(session, sku)
    session.add(
        StockMovement(
            sku=sku, kind=kind, number=row.number if numbered else None, created_at_ms=why.now_ms,
            on_hand=change.on_hand, committed=change.committed, unavailable=change.unavailable,
            reason=why.reason, cause=why.cause, shopper=why.shopper,
        )
    )  # fmt: skip
    if row.shortfall and change.sellable < 0:
        shortfall_raised.send(session=session, sku=sku, units=row.shortfall, cause=why.cause, now_ms=why.now_ms)


def _refuse(session: Session, sku: str) -> NoReturn:
    if session.get(StockLevel, (sku, MAIN_LOCATION)) is None:
        raise UnknownSku(f"There is no SKU {sku}.", sku=sku)
    raise InsufficientStock(f"There are not enough units of {sku} on hand.", sku=sku)


def by_code(session: Session) -> ColumnElement[str]:
    """SKUs in Python's order, in which orders lock their levels; that of the database's language may be another."""
    return StockLevel.sku.collate("C" if session.get_bind().dialect.name == "postgresql" else "BINARY")


def lock_levels(session: Session, skus: Iterable[str]) -> list[StockLevel]:
    """The levels of those of `skus` that are counted, held against orders until the caller's transaction ends."""
    locked: list[StockLevel] = []
    for some in _slices(sorted(skus)):
        query = select(StockLevel).where(StockLevel.sku.in_(some), StockLevel.location == MAIN_LOCATION)
        locked += session.scalars(
            query.order_by(by_code(session)).with_for_update(), execution_options={"populate_existing": True}
        )
    return locked


def open_levels(session: Session, units: Mapping[str, int], now_ms: int) -> list[str]:
    """Make a level for each SKU of `units` that has none, and receive its units; return the new SKUs."""
    known: set[str] = set()
    for some in _slices(units):
        known.update(session.scalars(select(StockLevel.sku).where(StockLevel.sku.in_(some))))
    new = [sku for sku in units if sku not in known]
    received = [sku for sku in new if units[sku] > 0]
    session.add_all(StockLevel(sku=sku, on_hand=units[sku], number=int(units[sku] > 0)) for sku in new)
    session.add_all(
        StockMovement(
            sku=sku, kind="received", number=1, on_hand=units[sku], created_at_ms=now_ms,
            committed=0, unavailable=0, reason="first import", cause="catalog import", shopper="",
        )
        for sku in received
    )  # fmt: skip
    session.flush()
    return new


def catch_up(room: Stockroom, skus: Iterable[str]) -> int:
    """Bring Redis up to the last movement of each SKU in SQL; return how many movements were applied."""
    applied = 0
    for some in _slices(skus):
        levels.introduce(room, some)
        last = levels.last_numbers(room, some)
        with Session(room.engine) as session:
            rows = session.execute(select(StockLevel.sku, StockLevel.number).where(StockLevel.sku.in_(some))).all()
        for sku, number in rows:
            in_redis = last[sku]
            if in_redis is not None and in_redis < number:
                applied += _replay(room, sku, in_redis)
    return applied


def tell(room: Stockroom, skus: Iterable[str]) -> None:
    """Tell Redis of movements that SQL has committed; never fails, for what it cannot hear now a repair brings."""
    with suppress(Unavailable, RedisError):
        catch_up(room, skus)


def _replay(room: Stockroom, sku: str, after: int) -> int:
    with Session(room.engine) as session:
        missing = session.scalars(
            select(StockMovement)
            .where(StockMovement.sku == sku, StockMovement.number > after)
            .order_by(StockMovement.number)
        ).all()
    return [_apply(room, movement) for movement in missing].count("applied")


def _apply(room: Stockroom, movement: StockMovement) -> str:
    shopper, returned = (movement.shopper, -movement.committed) if movement.kind == "cancelled" else ("", 0)
    sku = movement.sku

    def question(epoch: int) -> str:
        return scripts.apply_movement(
            room.redis, keys.of(sku), sku, epoch, movement.number or 0, movement.sellable, shopper, returned
        )

    return room.ask(sku, question, closed=lambda answer: answer == "checking")


def changed_since(room: Stockroom, since_ms: int) -> list[str]:
    """SKUs with a numbered movement at or after `since_ms`."""
    with Session(room.engine) as session:
        return list(
            session.scalars(
                select(StockMovement.sku)
                .where(StockMovement.created_at_ms >= since_ms, StockMovement.number.is_not(None))
                .distinct()
            )
        )


def moved_after(session: Session, sku: str, as_of_ms: int) -> int:
    """Units by which on hand has moved since `as_of_ms`."""
    moved = select(func.coalesce(func.sum(StockMovement.on_hand), 0))
    return session.scalar(moved.where(StockMovement.sku == sku, StockMovement.created_at_ms > as_of_ms)) or 0


def _slices(skus: Iterable[str]) -> Iterable[list[str]]:
    every = list(skus)
    return (every[start : start + SLICE] for start in range(0, len(every), SLICE))
