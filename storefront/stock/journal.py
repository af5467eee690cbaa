"""The journal: a reservation is promised to a shopper only once its row is in SQL.

All reservations that arrive within a few milliseconds in one process share one transaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter

from sqlalchemy import Engine, bindparam, case, select, text

from storefront.core.db import transaction
from storefront.core.deadline import deadline, seconds_left
from storefront.core.errors import Unavailable
from storefront.core.gathering import Gathering
from storefront.stock.models import Reservation, StockFence

GATHER_SECONDS = 0.001
BATCH_SIZE = 200
PATIENCE_SECONDS = 3.0
COMMIT_SECONDS = 5.0  # a connection that is silent for longer is dead

_INSERT = text(
    "INSERT INTO reservations (id, shopper, sku, units, state, created_at_ms, expires_at_ms, extensions)"
    " VALUES (:id, :shopper, :sku, :units, 'active', :created_at_ms, :expires_at_ms, 0)"
    " ON CONFLICT (id) DO NOTHING"
)
_STATE = case((Reservation.units == 0, "withdrawn"), else_=Reservation.state).label("state")  # a tombstone has no units
_STATES = select(Reservation.id, _STATE).where(Reservation.id.in_(bindparam("ids", expanding=True)))


class JournalSlow(Unavailable):
    """The row was not written in time; whether it will be is not known."""


@dataclass(frozen=True)
class Entry:
    """A reservation as Redis granted it under `epoch`."""

    id: str
    shopper: str
    sku: str
    units: int
    created_at_ms: int
    expires_at_ms: int
    epoch: int


class Journal:
    """Group commit of reservation rows for one process."""

    def __init__(self, engine: Engine):
        self.engine = engine
        self._pages: Gathering[Entry, str] = Gathering("stock-journal", self._write, GATHER_SECONDS, BATCH_SIZE)

    def write(self, entry: Entry) -> str:
        """Write `entry` and wait for the commit.

        Returns the state its row has now: "active"; "stale" where a rebuild has come between (no row
        was written); "withdrawn" where it was undone before its row came; or how a reservation of this
        id ended before. Raises JournalSlow after 3 s and
        SQLAlchemy's errors where the database refused.
        """
        try:
            return self._pages.put(entry).wait(seconds_left(PATIENCE_SECONDS))
        except TimeoutError as error:
            raise JournalSlow("The shop's database is slow. Please try again.") from error

    def write_later(self, entry: Entry) -> None:
        """Write `entry` without waiting (HOLD_DURABILITY=redis)."""
        self._pages.put(entry)

    def _write(self, entries: Sequence[Entry]) -> list[str]:
        with deadline(COMMIT_SECONDS):
            states = self._commit(entries)
        return [states.get(entry.id, "stale") for entry in entries]

    def _commit(self, entries: Sequence[Entry]) -> dict[str, str]:
        with transaction(self.engine) as session:
            # Shared lock: a rebuild waits for us, or we see its epoch.
            epoch = session.execute(select(StockFence.epoch).with_for_update(read=True)).scalar()
            # In one order everywhere, so that two processes with the same clicks never deadlock.
            fresh = [vars(entry) for entry in sorted(entries, key=attrgetter("id")) if entry.epoch == epoch]
            if fresh:
                session.connection().execute(_INSERT, fresh)
            ids = [entry.id for entry in entries]
            return {row.id: row.state for row in session.execute(_STATES, {"ids": ids})}
