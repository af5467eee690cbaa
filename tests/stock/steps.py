"""Steps of the protocol one at a time, so that a test can put them in any order, or leave one out."""

from operator import attrgetter

from sqlalchemy import update

from storefront.core.db import transaction
from storefront.stock import keys, levels, reservations, scripts
from storefront.stock.ledger import Change, Reason, record
from storefront.stock.models import Reservation, StockLevel
from storefront.stock.outcomes import Held
from storefront.stock.settlement import Ended, settle_all
from storefront.stock.stockroom import Stockroom


def hold(room: Stockroom, sku: str = "MUG", units: int = 1, shopper: str = "ann", id: str = "r1") -> Held:
    """Reserve, as a click does."""
    held = reservations.reserve(room, shopper=shopper, sku=sku, units=units, reservation_id=id)
    assert isinstance(held, Held)
    return held


def take_only(room: Stockroom, sku: str = "MUG", units: int = 1, shopper: str = "ann", id: str = "r1") -> str:
    """The first step of a reserve alone: Redis has the hold, the journal has not. Returns the outcome."""
    room.fence.refresh(room.engine)
    return scripts.reserve(room.redis, keys.of(sku), sku, room.fence.epoch, id, shopper, units, room.hold_ms, -1)[0]


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
    with transaction(room.engine) as session:
        why = Reason("order cancelled", "order:1", room.now_ms(), shopper)
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
