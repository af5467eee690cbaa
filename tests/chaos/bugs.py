"""Six ways to get the protocol wrong, planted in the forked processes only: the checker must find each."""

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from storefront.core.lua import Script
from storefront.stock.journal import Entry, Journal
from storefront.stock.models import Reservation
from storefront.stock.settlement import Ended
from storefront.stock.stockroom import Fence, Stockroom
from tests.chaos import points

BETWEEN = "bug: between Redis and SQL"

# Taken as they are at run time, to be patched.
journal: Any = import_module("storefront.stock.journal")
repair: Any = import_module("storefront.stock.repair")
reservations: Any = import_module("storefront.stock.reservations")
settlement: Any = import_module("storefront.stock.settlement")


def plant(name: str) -> None:
    """Patch the bug `name` (one of `NAMES`) into this process."""
    _PLANTERS[name]()


def _journal_whatever_the_epoch() -> None:
    """A reservation granted before a rebuild is journalled after it."""

    def commit(self: Journal, entries: Sequence[Entry]) -> dict[str, str]:
        with journal.transaction(self.engine) as session:
            rows = [vars(entry) for entry in sorted(entries, key=lambda entry: entry.id)]
            session.connection().execute(journal._INSERT, rows)
            ids = [entry.id for entry in entries]
            return {row.id: row.state for row in session.execute(journal._STATES, {"ids": ids})}

    Journal._commit = commit  # type: ignore[method-assign]


def _load_scripts_on_demand() -> None:
    """EVAL instead of EVALSHA, so that a Redis which restarted answers as if nothing had happened.

    The greeting that asks each connection for the server's run id is a second lock on the same
    door, and a design that loads on demand has neither; with it in place the bug would do no harm.
    """

    def call(self: Script, redis: Any, keys: Sequence[str], *arguments: str | int) -> Any:
        keys = list(keys)
        return redis.eval(self.source, len(keys), *keys, *arguments)

    Script.__call__ = call  # type: ignore[assignment,method-assign]
    Fence.greet = lambda self, connection: connection.on_connect()  # type: ignore[method-assign]


def _return_sold_units() -> None:
    """What repairs a half-finished order gives its units back as if it had expired."""

    def ended_of(row: Reservation) -> Ended:
        return Ended(row.id, row.sku, staying=row.units if row.state == "active" else 0)

    settlement.ended_of = ended_of
    repair.ended_of = ended_of


def _bury_nobody() -> None:
    """A hold SQL has never heard of is given back without a tombstone, so its late row still comes."""

    def bury(session: Session, sku: str, ids: Any, now_ms: int) -> None:
        return None

    follow = settlement.follow_sql

    def follow_sql(room: Stockroom, sku: str, ids: Sequence[str], now_ms: int) -> dict[str, str]:
        states = {one: "expired" for one in ids} | follow(room, sku, ids, now_ms)
        with Session(room.engine) as session:
            known = set(session.scalars(select(Reservation.id).where(Reservation.id.in_(ids))))
        settlement.settle_all(room, [Ended(one, sku) for one in ids if one not in known])
        return states

    for owner in (settlement, reservations):
        owner.bury = bury
    for owner in (settlement, reservations, repair):
        owner.follow_sql = follow_sql


def _sell_whatever_the_state() -> None:
    """The checkout sells the reservations it read before, also those that have ended meanwhile."""

    def sell(session: Session, ids: Sequence[str], cause: str, now_ms: int) -> list[Ended]:
        rows = session.execute(
            update(Reservation)
            .where(Reservation.id.in_(ids))
            .values(state="sold", ended_at_ms=now_ms, cause=cause)
            .returning(Reservation.id, Reservation.sku, Reservation.units, Reservation.created_at_ms),
            execution_options={"synchronize_session": False},
        ).all()
        return [Ended(row.id, row.sku, ordered=row.units, created_at_ms=row.created_at_ms) for row in rows]

    reservations.sell = sell


def _return_units_before_sql() -> None:
    """Redis gets the units back first, SQL lets go of them afterwards."""

    def release(room: Stockroom, reservation_id: str, sku: str) -> bool:
        settlement.settle_all(room, [Ended(reservation_id, sku)])
        points.reach(BETWEEN)
        with reservations.transaction(room.engine) as session:
            return bool(reservations.end(session, [reservation_id], "released", room.now_ms()))

    def expire_due(room: Stockroom) -> int:
        now_ms = room.now_ms()
        due = (Reservation.state == "active") & (Reservation.expires_at_ms <= now_ms)
        with Session(room.engine) as session:
            rows = session.execute(select(Reservation.id, Reservation.sku).where(due).limit(reservations.SLICE)).all()
        settlement.settle_all(room, [Ended(row.id, row.sku) for row in rows])
        points.reach(BETWEEN)
        with reservations.transaction(room.engine) as session:
            ids = [row.id for row in rows]
            return len(reservations.end(session, ids, "expired", now_ms, due_only=True))

    reservations.release = release
    reservations.expire_due = expire_due


_PLANTERS: dict[str, Callable[[], None]] = {
    "no-epoch-check": _journal_whatever_the_epoch,
    "scripts-on-demand": _load_scripts_on_demand,
    "sweep-returns-sold": _return_sold_units,
    "no-tombstone": _bury_nobody,
    "no-compare-and-set": _sell_whatever_the_state,
    "redis-before-sql": _return_units_before_sql,
}
NAMES = tuple(_PLANTERS)
