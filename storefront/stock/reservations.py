"""The verbs of a reservation: reserve, shrink, extend, release, expire, sell.

Redis decides whether units can be had; SQL decides how a reservation ends. Units come back in
Redis only after SQL has let go of them.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import NAMESPACE_URL, uuid5

from sqlalchemy import select, update
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
    HoldWithdrawn,
    InsufficientStock,
    LimitReached,
    PassRequired,
    SoldOut,
    StockChecking,
)
from storefront.stock.settlement import Ended, bury, follow_sql, move_deadline, settle_all
from storefront.stock.stockroom import Stockroom

MOST_EXTENSIONS = 3
SLICE = 100


def reservation_id_for(shopper: str, sku: str, click_id: str, withdrawn: int = 0) -> str:
    """The one id that a click (or an idempotency key) of a shopper on a SKU leads to.

    withdrawn: how many reservations of this click were undone before he heard of them.
    """
    again = f":{withdrawn}" if withdrawn else ""
    return str(uuid5(NAMESPACE_URL, f"reservation:{shopper}:{sku}:{click_id}{again}"))


def reserve(
    room: Stockroom,
    *,
    shopper: str,
    sku: str,
    units: int,
    reservation_id: str,
    seen: int | None = None,
    permit: str = "",
) -> Held | AlreadyHeld:
    """Hold `units` of `sku` for `shopper`, all or nothing; idempotent by `reservation_id`.

    With `seen` (units the shopper believed to hold) nothing is taken where he holds more than that,
    so that two tabs or a repeated click do not add up. An empty `shopper` is the shop itself.
    `permit` is the sale to which the shopper was admitted.

    Raises UnknownSku, PassRequired, SoldOut, InsufficientStock, LimitReached, HoldEnded (this reservation
    ended before), HoldWithdrawn (before it was promised), StockChecking, JournalSlow.
    """
    room.require_sku(sku)
    for _ in range(2):  # the second time where a rebuild came between, or the hold that was found is overdue
        grant = _take(room, shopper, sku, units, reservation_id, seen, permit)
        if isinstance(grant, AlreadyHeld):
            return grant
        if not grant.fresh and grant.held.expires_at_ms <= room.now_ms():
            _end_overdue(room, grant.entry)
            continue
        if room.durability == "redis" and grant.fresh:
            room.journal.write_later(grant.entry)
            return grant.held
        state = _journal(room, grant.entry)
        if state == "active":
            return grant.held
        if state != "stale":
            follow_sql(room, sku, [reservation_id], room.now_ms())
            raise (HoldWithdrawn if state == "withdrawn" else HoldEnded)(sku=sku)
        room.fence.refresh(room.engine)  # the hold fell out of Redis with the rebuild that made it stale
    raise StockChecking


@dataclass(frozen=True)
class _Grant:
    """What Redis granted, and the row to write; `fresh`: just now, not to an earlier call with the same id."""

    held: Held
    entry: Entry
    fresh: bool


def _take(
    room: Stockroom, shopper: str, sku: str, units: int, reservation_id: str, seen: int | None, permit: str
) -> _Grant | AlreadyHeld:
    epochs = []

    def question(epoch: int) -> list:
        epochs.append(epoch)
        expected = -1 if seen is None else seen
        return scripts.reserve(
            room.redis, keys.of(sku), sku, epoch, reservation_id, shopper, units, room.hold_ms, expected, permit
        )

    answer = room.ask(sku, question, closed=lambda a: a[0] == "checking")
    outcome, own, available, version, at_ms, *rest = answer
    level = room.level(sku, available, version, epochs[-1], at_ms)
    match outcome:
        case "already":
            return AlreadyHeld(sku, own, level)
        case "sold_out":
            raise SoldOut("Sorry, somebody else took the last one.", **level.as_json())
        case "insufficient_stock":
            raise InsufficientStock(f"Only {available} left.", **level.as_json())
        case "pass_required":
            raise PassRequired("Join its waiting room; you are let in when it is your turn.", sku=sku, sale=rest[0])
        case "limit_reached":
            raise LimitReached(f"At most {rest[0]} per shopper.", limit=rest[0], **level.as_json())
    deadline, counted, granted_at_ms = rest
    held = Held(reservation_id, sku, counted, deadline, own, level)
    entry = Entry(reservation_id, shopper, sku, counted, granted_at_ms, deadline, epochs[-1])
    return _Grant(held, entry, fresh=outcome == "held")


def _journal(room: Stockroom, entry: Entry) -> str:
    """Write `entry` and return the state of its row; where it was not written the hold is withdrawn."""
    try:
        return room.journal.write(entry)
    except Exception:
        if _withdraw(room, entry) == "active":
            return "active"  # written after all, by a slow commit or by the same click through another process
        raise


def _withdraw(room: Stockroom, entry: Entry) -> str:
    """Undo a hold whose row may or may not come, SQL first; return the state of the row ("" where not known)."""
    try:
        return follow_sql(room, entry.sku, [entry.id], room.now_ms())[entry.id]
    except Exception:
        return ""  # the repair finishes it at its deadline; the caller hears of the first error


def _end_overdue(room: Stockroom, entry: Entry) -> None:
    """End a hold whose time is over before the sweep does, unless SQL knows of a later deadline."""
    follow_sql(room, entry.sku, [entry.id], room.now_ms())
    expire(room, [entry.id])


def release(room: Stockroom, reservation_id: str, sku: str) -> bool:
    """End a reservation and give its units back once; return whether this call ended it."""
    now_ms = room.now_ms()
    with transaction(room.engine) as session:
        ended = end(session, [reservation_id], "released", now_ms)
        if not ended:
            bury(session, sku, [reservation_id], now_ms)
            # On Postgres that waited for a row that was just being written; then there is one to end now.
            ended = end(session, [reservation_id], "released", now_ms)
    if ended:
        settle_all(room, ended)
    else:
        follow_sql(room, sku, [reservation_id], now_ms)  # it may have been sold, and its units must not come back
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
        settle_all(room, [Ended(reservation_id, sku, staying=units)])
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
        # Never back, also where Redis' clock went back: the deadline before was promised too.
        row.expires_at_ms = deadline = max(row.expires_at_ms, now_ms + room.hold_ms)
    move_deadline(room, sku, reservation_id, deadline)
    return deadline


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
    with Session(room.engine) as session:
        due = session.scalars(
            select(Reservation.id)
            .where(Reservation.state == "active", Reservation.expires_at_ms <= now_ms)
            .order_by(Reservation.expires_at_ms)
            .limit(SLICE)
        ).all()
    return expire(room, due)


def expire(room: Stockroom, ids: Sequence[str]) -> int:
    """End those of `ids` that are past their deadline and give their units back; return how many."""
    if not ids:
        return 0
    now_ms = room.now_ms()
    with transaction(room.engine) as session:
        ended = end(session, ids, "expired", now_ms, due_only=True)
    settle_all(room, ended)
    return len(ended)


def end(session: Session, ids: Sequence[str], state: str, now_ms: int, *, due_only: bool = False) -> list[Ended]:
    """Compare-and-set active -> `state`; return those that this call ended. The caller settles them after commit."""
    _lock(session, ids)
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
    _lock(session, ids)
    rows = session.execute(
        update(Reservation)
        .where(Reservation.id.in_(ids), Reservation.state == "active", Reservation.expires_at_ms > now_ms)
        .values(state="sold", ended_at_ms=now_ms, cause=cause)
        .returning(Reservation.id, Reservation.sku, Reservation.units, Reservation.created_at_ms),
        execution_options={"synchronize_session": False},
    ).all()
    missing = set(ids) - {row.id for row in rows}
    if missing:
        sku = session.scalar(select(Reservation.sku).where(Reservation.id.in_(missing)).order_by(Reservation.sku))
        raise HoldExpired("A hold expired during checkout.", sku=sku)
    return [Ended(row.id, row.sku, ordered=row.units, created_at_ms=row.created_at_ms) for row in rows]


def _lock(session: Session, ids: Sequence[str]) -> None:
    """Lock the rows in one order everywhere, so that the sweep and a checkout at the deadline never deadlock."""
    if len(ids) > 1:
        session.execute(
            select(Reservation.id).where(Reservation.id.in_(ids)).order_by(Reservation.id).with_for_update()
        )
