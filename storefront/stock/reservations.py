"""The verbs of a reservation: reserve, shrink, extend, release, expire, sell.

Redis decides whether units can be had; SQL decides how a reservation ends. Units come back in
Redis only after SQL has let go of them.
"""

import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from uuid import NAMESPACE_URL, uuid5

from redis.exceptions import RedisError
from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from storefront.core.db import transaction
from storefront.stock import keys, scripts
from storefront.stock.journal import Entry
from storefront.stock.models import Reservation
from storefront.stock.outcomes import (
    AlreadyHeld,
    ExtensionLimit,
    Held,
    HoldEnded,
    HoldExpired,
    InsufficientStock,
    LimitReached,
    SoldOut,
    StockChecking,
)
from storefront.stock.stockroom import Stockroom

MOST_EXTENSIONS = 3
SLICE = 100

_TOMBSTONE = text(
    "INSERT INTO reservations"
    " (id, shopper, sku, units, state, created_at_ms, expires_at_ms, ended_at_ms, extensions)"
    " VALUES (:id, '', :sku, 0, 'expired', :now_ms, :now_ms, :now_ms, 0)"
    " ON CONFLICT (id) DO NOTHING"
)


def reservation_id_for(shopper: str, sku: str, click_id: str) -> str:
    """The one id that a click (or an idempotency key) of a shopper on a SKU always leads to."""
    return str(uuid5(NAMESPACE_URL, f"reservation:{shopper}:{sku}:{click_id}"))


def reserve(
    room: Stockroom, *, shopper: str, sku: str, units: int, reservation_id: str, seen: int | None = None
) -> Held | AlreadyHeld:
    """Hold `units` of `sku` for `shopper`, all or nothing; idempotent by `reservation_id`.

    With `seen` (units the shopper believed to hold) nothing is taken where he holds more than that,
    so that two tabs or a repeated click do not add up. An empty `shopper` is the shop itself.

    Raises UnknownSku, SoldOut, InsufficientStock, LimitReached, HoldEnded (this reservation ended before),
    StockChecking, JournalSlow.
    """
    room.require_sku(sku)
    for _ in range(2):  # the second time under a new epoch, where a rebuild came between
        outcome, held, epoch = _take(room, shopper, sku, units, reservation_id, seen)
        if isinstance(held, AlreadyHeld):
            return held
        entry = Entry(
            id=reservation_id,
            shopper=shopper,
            sku=sku,
            units=held.units,
            created_at_ms=held.expires_at_ms - room.hold_ms,
            expires_at_ms=held.expires_at_ms,
            epoch=epoch,
        )
        if room.durability == "redis" and outcome == "held":
            room.journal.write_later(entry)
            return held
        try:
            state = room.journal.write(entry)
        except Exception:
            _withdraw(room, sku, reservation_id)
            raise
        if state == "active":
            return held
        if state != "stale":  # a stale hold fell out of Redis with the rebuild that made it stale
            _settle(room, sku, reservation_id)
            raise HoldEnded(sku=sku)
    raise StockChecking


def _take(
    room: Stockroom, shopper: str, sku: str, units: int, reservation_id: str, seen: int | None
) -> tuple[str, Held | AlreadyHeld, int]:
    epochs = []

    def question(epoch: int) -> list:
        epochs.append(epoch)
        expected = -1 if seen is None else seen
        return scripts.reserve(
            room.redis, keys.of(sku), sku, epoch, reservation_id, shopper, units, room.hold_ms, expected
        )

    answer = room.ask(sku, question, closed=lambda a: a[0] == "checking")
    outcome, own, available, version, at_ms, *rest = answer
    level = room.level(sku, available, version, epochs[-1], at_ms)
    match outcome:
        case "already":
            return outcome, AlreadyHeld(sku, own, level), epochs[-1]
        case "sold_out":
            raise SoldOut("Sorry, somebody else took the last one.", **level.as_json())
        case "insufficient_stock":
            raise InsufficientStock(f"Only {available} left.", **level.as_json())
        case "limit_reached":
            raise LimitReached(f"At most {rest[0]} per shopper.", limit=rest[0], **level.as_json())
    deadline, counted = rest
    return outcome, Held(reservation_id, sku, counted, deadline, own, level), epochs[-1]


def _withdraw(room: Stockroom, sku: str, reservation_id: str) -> None:
    """Undo a reservation whose row may or may not come: SQL first, so that a late row finds a tombstone."""
    with suppress(Exception):  # the sweep finishes it at its deadline; the caller hears of the first error
        release(room, reservation_id, sku)


def release(room: Stockroom, reservation_id: str, sku: str) -> bool:
    """End a reservation and give its units back once; return whether this call ended it."""
    now_ms = room.now_ms()
    with transaction(room.engine) as session:
        ended = end(session, [reservation_id], "released", now_ms)
        if not ended:
            session.execute(_TOMBSTONE, {"id": reservation_id, "sku": sku, "now_ms": now_ms})
    _settle(room, sku, reservation_id)
    return bool(ended)


def shrink(room: Stockroom, reservation_id: str, sku: str, units: int) -> bool:
    """Lower an active reservation to `units` (> 0) and give the rest back; return whether it was active."""
    now_ms = room.now_ms()
    with transaction(room.engine) as session:
        shrunk = session.execute(
            update(Reservation)
            .where(Reservation.id == reservation_id, Reservation.state == "active", Reservation.units > units)
            .values(units=units, ended_at_ms=now_ms)
            .returning(Reservation.id)
        ).all()
    if shrunk:
        _settle(room, sku, reservation_id, staying=units)
    return bool(shrunk)


def extend(room: Stockroom, reservation_id: str, sku: str) -> int:
    """Give an active, unexpired reservation a new full deadline; return it in ms.

    Raises HoldExpired (too late: it takes a new reserve, which may fail) and ExtensionLimit.
    """
    now_ms = room.now_ms()
    with transaction(room.engine) as session:
        row = session.execute(select(Reservation).where(Reservation.id == reservation_id).with_for_update()).scalar()
        if row is None or row.state != "active" or row.expires_at_ms <= now_ms:
            raise HoldExpired("The hold has expired; add the item again.", sku=sku)
        if row.extensions >= MOST_EXTENSIONS:
            raise ExtensionLimit(f"A hold can be extended {MOST_EXTENSIONS} times.", sku=sku)
        row.extensions += 1
        row.expires_at_ms = deadline = now_ms + room.hold_ms
    move_deadline(room, sku, reservation_id, deadline)
    return deadline


def move_deadline(room: Stockroom, sku: str, reservation_id: str, deadline_ms: int) -> None:
    """Tell Redis the later deadline that SQL has; like settle_all it never fails."""

    def question(_epoch: int) -> int | None:
        return scripts.extend(room.redis, [keys.due(sku)], reservation_id, deadline_ms)

    with suppress(StockChecking, RedisError):
        room.ask(sku, question, closed=lambda _: False)


def expire_all_due(room: Stockroom, seconds: float = 0.8) -> int:
    """End every reservation past its deadline, for about `seconds` at the most; return how many were ended."""
    stop = time.monotonic() + seconds
    ended = some = expire_due(room)
    while some == SLICE and time.monotonic() < stop:
        some = expire_due(room)
        ended += some
    return ended


def expire_due(room: Stockroom) -> int:
    """End the reservations past their deadline, at most 100, and give their units back; return how many."""
    now_ms = room.now_ms()
    with transaction(room.engine) as session:
        due = session.scalars(
            select(Reservation.id)
            .where(Reservation.state == "active", Reservation.expires_at_ms <= now_ms)
            .order_by(Reservation.expires_at_ms)
            .limit(SLICE)
        ).all()
        ended = end(session, due, "expired", now_ms, due_only=True) if due else []
    settle_all(room, ended)
    return len(ended)


@dataclass(frozen=True)
class Ended:
    """A reservation of which SQL has let go: `ordered` units went into an order, the rest comes back."""

    id: str
    sku: str
    ordered: int = 0
    staying: int = 0


def end(session: Session, ids: Sequence[str], state: str, now_ms: int, *, due_only: bool = False) -> list[Ended]:
    """Compare-and-set active -> `state`; return those that this call ended. The caller settles them after commit."""
    change = update(Reservation).where(Reservation.id.in_(ids), Reservation.state == "active")
    if due_only:
        change = change.where(Reservation.expires_at_ms <= now_ms)
    rows = session.execute(
        change.values(state=state, ended_at_ms=now_ms).returning(Reservation.id, Reservation.sku),
        execution_options={"synchronize_session": False},
    )
    return [Ended(row.id, row.sku) for row in rows]


def sell(session: Session, ids: Sequence[str], cause: str, now_ms: int) -> list[Ended]:
    """Compare-and-set active -> sold for all of `ids`, within the transaction of an order.

    Raises HoldExpired, naming the SKU, where one of them is not active and unexpired any more.
    """
    rows = session.execute(
        update(Reservation)
        .where(Reservation.id.in_(ids), Reservation.state == "active", Reservation.expires_at_ms > now_ms)
        .values(state="sold", ended_at_ms=now_ms, cause=cause)
        .returning(Reservation.id, Reservation.sku, Reservation.units),
        execution_options={"synchronize_session": False},
    ).all()
    missing = set(ids) - {row.id for row in rows}
    if missing:
        sku = session.scalar(select(Reservation.sku).where(Reservation.id.in_(missing)).order_by(Reservation.sku))
        raise HoldExpired("A hold expired during checkout.", sku=sku)
    return [Ended(row.id, row.sku, ordered=row.units) for row in rows]


def bury(session: Session, sku: str, ids: Iterable[str], now_ms: int) -> None:
    """Write tombstones for reservations SQL never heard of, so that their late rows fail."""
    session.connection().execute(_TOMBSTONE, [{"id": one, "sku": sku, "now_ms": now_ms} for one in ids])


def settle_all(room: Stockroom, ended: Sequence[Ended]) -> None:
    """Drop ended reservations in Redis, which gives back what was not ordered; twice does no harm.

    Never fails: SQL has let go already. What cannot be told to Redis now, a repair or rebuild will.
    """

    def question(_epoch: int) -> list:
        pipeline = room.redis.pipeline(transaction=False)
        for one in ended:
            scripts.settle(pipeline, keys.of(one.sku), one.sku, one.id, one.staying, one.ordered)
        return pipeline.execute()

    if ended:
        with suppress(StockChecking, RedisError):
            room.ask(ended[0].sku, question, closed=lambda _: False)


def _settle(room: Stockroom, sku: str, reservation_id: str, staying: int = 0) -> None:
    settle_all(room, [Ended(reservation_id, sku, staying=staying)])
