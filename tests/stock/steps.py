"""Steps of the protocol one at a time, so that a test can put them in any order, or leave one out."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from operator import attrgetter
from typing import Any

from redis.exceptions import ConnectionError
from sqlalchemy import Connection, event, select, text, update

from storefront.core.db import transaction
from storefront.stock import keys, levels, reservations, scripts
from storefront.stock.journal import Entry
from storefront.stock.ledger import Change, Reason, record
from storefront.stock.models import Reservation, StockLevel, StockMovement
from storefront.stock.outcomes import Held
from storefront.stock.rebuild import rebuild
from storefront.stock.settlement import Ended, settle_all
from storefront.stock.stockroom import Stockroom


def hold(room: Stockroom, sku: str = "MUG", units: int = 1, shopper: str = "ann", id: str = "r1") -> Held:
    """Reserve, as a click does."""
    held = reservations.reserve(room, shopper=shopper, sku=sku, units=units, reservation_id=id)
    assert isinstance(held, Held)
    return held


def take_only(room: Stockroom, sku: str = "MUG", units: int = 1, shopper: str = "ann", id: str = "r1") -> str:
    """The first step of a reserve alone: Redis has the hold, the journal has not. Returns the outcome."""
    return take_entry(room, sku, units, shopper, id)[0]


def take_entry(room: Stockroom, sku: str, units: int, shopper: str, id: str) -> tuple[str, Entry | None]:
    """The same, with what has to be journalled, where it was granted."""
    room.fence.refresh(room.engine)
    epoch = room.fence.epoch
    answer = scripts.reserve(room.redis, keys.of(sku), sku, epoch, id, shopper, units, room.hold_ms, -1)
    if answer[0] not in ("held", "held_before"):
        return answer[0], None
    deadline, counted, granted_at_ms = answer[5:]
    return answer[0], Entry(id, shopper, sku, counted, granted_at_ms, deadline, epoch)


@contextmanager
def reply_lost(room: Stockroom) -> Iterator[None]:
    """Redis carries out each script that is called in this block, and the caller never hears of it."""
    call = room.redis.execute_command

    def call_and_miss(*arguments: Any, **options: Any) -> None:
        call(*arguments, **options)
        raise ConnectionError("the reply was lost")

    room.redis.execute_command = call_and_miss  # type: ignore[method-assign]
    try:
        yield
    finally:
        del room.redis.execute_command


def sell_only(room: Stockroom, *ids: str, shopper: str = "ann") -> list[Ended]:
    """The SQL transaction of an order alone: Redis has not heard of it yet."""
    now_ms = room.now_ms()
    with transaction(room.engine) as session:
        sold = reservations.sell(session, ids, "order:1", now_ms)
        for one in sorted(sold, key=attrgetter("sku")):  # as checkouts do, so that they never deadlock
            why = Reason("order placed", "order:1", now_ms, shopper)
            record(session, one.sku, "committed", Change(committed=one.ordered), why, held=True)
    return sold


def sell(room: Stockroom, *ids: str, shopper: str = "ann") -> None:
    """An order of these reservations, both steps."""
    settle_all(room, sell_only(room, *ids, shopper=shopper))


def cancel_only(room: Stockroom, sku: str = "MUG", units: int = 1, shopper: str = "ann") -> None:
    """The SQL transaction of a cancellation alone."""
    cancel_lines_only(room, [(sku, units)], shopper)


def cancel_lines_only(room: Stockroom, lines: Iterable[tuple[str, int]], shopper: str) -> None:
    """The same for an order of several lines: SKU and units of each."""
    with transaction(room.engine) as session:
        why = Reason("order cancelled", "order:1", room.now_ms(), shopper)
        for sku, units in sorted(lines):
            record(session, sku, "cancelled", Change(committed=-units), why)


def receive_only(room: Stockroom, sku: str = "MUG", units: int = 1) -> None:
    """The SQL transaction of a receipt alone."""
    with transaction(room.engine) as session:
        record(session, sku, "received", Change(on_hand=units), Reason("delivery", "operator", room.now_ms()))


def let_run_out(room: Stockroom, *ids: str, by_ms: int = 10_000) -> None:
    """Put reservations past their deadline, in SQL and in Redis, as if the time had gone by."""
    deadline = room.now_ms() - by_ms
    with transaction(room.engine) as session:
        moved = update(Reservation).where(Reservation.id.in_(ids)).values(expires_at_ms=deadline)
        rows = session.execute(moved.returning(Reservation.id, Reservation.sku)).all()
    for row in rows:
        room.unfenced.zadd(keys.due(row.sku), {row.id: deadline}, xx=True)


def let_time_pass(room: Stockroom, skus: Sequence[str], ms: int) -> None:
    """Move every deadline and the last repair, as if `ms` had gone by (Redis' own clock cannot be set)."""
    with transaction(room.engine) as session:
        session.execute(text("UPDATE reservations SET expires_at_ms = expires_at_ms - :ms"), {"ms": ms})
    pipeline = room.unfenced.pipeline()
    for sku in skus:
        pipeline.zrange(keys.due(sku), 0, -1)
    holds = pipeline.execute()
    for sku, ids in zip(skus, holds, strict=True):
        for id in ids:
            pipeline.zincrby(keys.due(sku), -ms, id)
    pipeline.decrby(keys.REPAIRED_AT, ms)
    pipeline.execute()


def tell_movement(room: Stockroom, sku: str, number: int) -> str:
    """Tell Redis of one movement, whatever else it has or has not heard."""
    room.fence.refresh(room.engine)
    with transaction(room.engine) as session:
        wanted = select(StockMovement).where(StockMovement.sku == sku, StockMovement.number == number)
        movement = session.scalars(wanted).one()
    shopper = movement.shopper if movement.kind == "cancelled" else ""
    return scripts.apply_movement(
        room.redis, keys.of(sku), sku, room.fence.epoch, number, movement.sellable, shopper, -movement.committed
    )


def introduce_late(room: Stockroom, sku: str, units: int) -> int:
    """What a process says that has found a SKU new, and stood still until others had brought it in."""
    epoch = room.fence.epoch
    first = levels.first_version(epoch)
    return scripts.introduce(room.redis, [keys.level(sku)], sku, epoch, units, first, 1, "", "")


class Died(Exception):
    """The process is no more."""


def rebuild_and_die(room: Stockroom) -> None:
    """A rebuild that has written everything to Redis, and ends before its commit."""

    def die(_connection: Connection) -> None:
        if room.unfenced.exists(keys.EPOCH):  # else it has only raised the epoch so far
            raise Died

    event.listen(room.engine, "commit", die)
    try:
        with suppress(Died):
            rebuild(room)
    finally:
        event.remove(room.engine, "commit", die)


def available(room: Stockroom, sku: str = "MUG") -> int | None:
    """What a page shows: None while the stock is being checked."""
    return levels.read(room, [sku])[sku].available


def version(room: Stockroom, sku: str = "MUG") -> int:
    """The version a page shows."""
    return levels.read(room, [sku])[sku].version


def bought(room: Stockroom, sku: str = "MUG", shopper: str = "ann") -> int:
    """Units that count for the shopper's limit beside those he holds."""
    return int(room.unfenced.hget(keys.bought(sku), shopper) or 0)


def state_of(room: Stockroom, id: str = "r1") -> str | None:
    """The state of a reservation in SQL; None where there is no row."""
    with transaction(room.engine) as session:
        row = session.get(Reservation, id)
        return row.state if row else None


def level_row(room: Stockroom, sku: str = "MUG") -> StockLevel:
    """The level of a SKU in SQL."""
    with transaction(room.engine) as session:
        return session.get_one(StockLevel, (sku, "main"))
