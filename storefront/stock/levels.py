"""Stock levels as they are read: what is available now, and may be trusted."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from redis.exceptions import RedisError
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from storefront.core.db import transaction
from storefront.core.errors import Refusal
from storefront.stock import keys, scripts
from storefront.stock.models import Reservation, StockFence, StockLevel
from storefront.stock.outcomes import Level
from storefront.stock.stockroom import Stockroom


def checking(sku: str) -> Level:
    """The level of a SKU whose number cannot be trusted just now: no number and no version to compare."""
    return Level(sku, None, 0, 0, "checking", 0)


def first_version(epoch: int) -> int:
    """The lowest version of an epoch: higher than any version of an earlier one."""
    return epoch * 1_000_000_000


def read(room: Stockroom, skus: Iterable[str]) -> dict[str, Level]:
    """The levels of those of `skus` that exist; "checking" where Redis cannot be asked or trusted."""
    wanted = list(dict.fromkeys(skus))
    try:
        found = _fetch(room, wanted)
        missing = [sku for sku in wanted if found[sku] is None]
        if missing:
            if introduce(room, missing):
                found |= _fetch(room, missing)
            unknown = set(missing) - _existing(room, missing)
            for sku in missing:
                if sku not in unknown and found[sku] is None:
                    room.on_closed(room, sku)
            wanted = [sku for sku in wanted if sku not in unknown]
    except (Refusal, RedisError):
        return {sku: checking(sku) for sku in wanted}
    return {sku: _level(room, sku, found[sku]) for sku in wanted}


def _level(room: Stockroom, sku: str, answer: Sequence[int] | None) -> Level:
    if answer is None:
        return checking(sku)
    available, version, at_ms, _ = answer
    return room.level(sku, available, version, room.fence.epoch, at_ms)


def _fetch(room: Stockroom, skus: Sequence[str]) -> dict[str, Sequence[int] | None]:
    def question(epoch: int) -> list:
        pipeline = room.redis.pipeline(transaction=False)
        for sku in skus:
            scripts.read_level(pipeline, [keys.level(sku)], epoch)
        return pipeline.execute()

    def ask() -> list:
        return room.ask("", question, closed=lambda _: False)

    sight = room.fence.sight
    answers = ask() if skus else []
    if None in answers and room.fence.refresh(room.engine) != sight:  # a rebuild that we had not heard of
        answers = ask()
    return dict(zip(skus, answers, strict=True))


def last_numbers(room: Stockroom, skus: Sequence[str]) -> dict[str, int | None]:
    """The number of the last movement Redis has applied, per SKU; None where there is no level."""
    return {sku: answer[3] if answer else None for sku, answer in _fetch(room, skus).items()}


def _existing(room: Stockroom, skus: Sequence[str]) -> set[str]:
    with Session(room.engine) as session:
        return set(session.scalars(select(StockLevel.sku).where(StockLevel.sku.in_(skus))))


def introduce(room: Stockroom, skus: Sequence[str]) -> int:
    """Bring SKUs into Redis that were never there; return how many.

    SQL notes it first: a SKU that is noted and yet missing in Redis was lost, and only a rebuild
    (with a new epoch) may count it again. A rebuild that has begun brings them in itself.
    """
    built = select(StockFence.epoch).where(StockFence.epoch > 0, StockFence.run_id != "")
    with Session(room.engine) as session:
        new = select(StockLevel.sku).where(StockLevel.sku.in_(skus), StockLevel.built_epoch.is_(None))
        if not session.scalar(built) or not session.scalars(new.limit(1)).all():
            return 0
    with transaction(room.engine) as session:
        epoch = session.scalar(built.with_for_update(read=True))
        if epoch is None:
            return 0
        rows = session.scalars(
            update(StockLevel)
            .where(StockLevel.sku.in_(skus), StockLevel.built_epoch.is_(None))
            .values(built_epoch=epoch)
            .returning(StockLevel),
            execution_options={"synchronize_session": False},
        ).all()

    def question(_epoch: int) -> list:
        pipeline = room.redis.pipeline(transaction=False)
        for row in rows:
            units = row.on_hand - row.unavailable - row.committed
            limit = "" if row.limit_per_shopper is None else row.limit_per_shopper
            level, first = keys.level(row.sku), first_version(epoch)
            scripts.introduce(pipeline, [level], row.sku, epoch, units, first, row.number, limit, row.sale or "")
        return pipeline.execute()

    room.ask("", question, closed=lambda _: False)
    return len(rows)


@dataclass(frozen=True)
class Account:
    """Where the units of a SKU are: on hand = available + reserved + committed + unavailable at rest."""

    sku: str
    on_hand: int
    available: int | None
    reserved: int
    committed: int
    unavailable: int
    version: int
    epoch: int


def accounts(room: Stockroom, skus: Sequence[str] = ()) -> list[Account]:
    """The account of each of `skus` (all where none is given), by SKU."""
    active = select(Reservation.sku, func.sum(Reservation.units).label("units")).where(Reservation.state == "active")
    reserved = active.group_by(Reservation.sku).subquery()
    query = select(StockLevel, func.coalesce(reserved.c.units, 0)).outerjoin(reserved, reserved.c.sku == StockLevel.sku)
    if skus:
        query = query.where(StockLevel.sku.in_(skus))
    with Session(room.engine) as session:
        rows = session.execute(query.order_by(StockLevel.sku)).all()
    now = read(room, [level.sku for level, _ in rows])
    return [
        Account(
            level.sku, level.on_hand, now[level.sku].available, int(units), level.committed, level.unavailable,
            now[level.sku].version, now[level.sku].epoch,
        )
        for level, units in rows
    ]  # fmt: skip


@dataclass(frozen=True)
class Demand:
    """How the units of some SKUs are spoken for: free to be reserved, held in carts, and taken by each shopper."""

    available: int | None  # None while the stock is being checked
    held: int
    taken: dict[str, int]  # held or bought; SKUs without a limit do not count what was bought


def demand(room: Stockroom, skus: Sequence[str], shoppers: Sequence[str]) -> Demand:
    """What is spoken for of `skus` together, and by each of `shoppers`. Raises redis' errors.

    What shoppers have taken is read before what is free: whoever takes a unit in between counts twice
    rather than not at all.
    """
    pipeline = room.redis.pipeline(transaction=False)
    for sku in skus:
        pipeline.hvals(keys.held(sku))
        for key in (keys.held(sku), keys.bought(sku)) if shoppers else ():
            pipeline.hmget(key, shoppers)
    answers = iter(pipeline.execute())
    taken = dict.fromkeys(shoppers, 0)
    held = 0
    for _ in skus:
        held += sum(map(int, next(answers)))
        for units in (next(answers), next(answers)) if shoppers else ():
            for shopper, one in zip(shoppers, units, strict=True):
                taken[shopper] += int(one or 0)
    free = [level.available for level in read(room, skus).values()]
    known = len(free) == len(skus) and None not in free
    return Demand(sum(one or 0 for one in free) if known else None, held, taken)


def bought(room: Stockroom, skus: Sequence[str], shoppers: Sequence[str]) -> dict[str, int]:
    """Units of `skus` together that each of `shoppers` has ordered and not cancelled; of SKUs with a limit only."""
    if not shoppers:
        return {}
    pipeline = room.redis.pipeline(transaction=False)
    for sku in skus:
        pipeline.hmget(keys.bought(sku), shoppers)
    rows = pipeline.execute()
    return {shopper: sum(int(row[index] or 0) for row in rows) for index, shopper in enumerate(shoppers)}
