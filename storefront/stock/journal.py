"""The journal: a reservation is promised to a shopper only once its row is in SQL.

All reservations that arrive within a few milliseconds in one process share one transaction.
"""

import threading
import time
from dataclasses import dataclass, field
from operator import attrgetter

from sqlalchemy import Engine, bindparam, case, select, text

from storefront.core.db import transaction
from storefront.core.deadline import deadline, seconds_left
from storefront.core.errors import Unavailable
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


@dataclass
class _Page:
    """An entry on its way, and what became of it."""

    entry: Entry
    state: str = ""
    error: Exception | None = None
    written: threading.Event = field(default_factory=threading.Event)


class Journal:
    """Group commit of reservation rows for one process."""

    def __init__(self, engine: Engine):
        self.engine = engine
        self._pages: list[_Page] = []
        self._lock = threading.Lock()
        self._writing = False

    def write(self, entry: Entry) -> str:
        """Write `entry` and wait for the commit.

        Returns the state its row has now: "active"; "stale" where a rebuild has come between (no row
        was written); "withdrawn" where it was undone before its row came; or how a reservation of this
        id ended before. Raises JournalSlow after 3 s and
        SQLAlchemy's errors where the database refused.
        """
        page = self._add(entry)
        if not page.written.wait(seconds_left(PATIENCE_SECONDS)):
            raise JournalSlow("The shop's database is slow. Please try again.")
        if page.error:
            raise page.error
        return page.state

    def write_later(self, entry: Entry) -> None:
        """Write `entry` without waiting (HOLD_DURABILITY=redis)."""
        self._add(entry)

    def _add(self, entry: Entry) -> _Page:
        page = _Page(entry)
        with self._lock:
            self._pages.append(page)
            start, self._writing = not self._writing, True
        if start:
            self._start()
        return page

    def _start(self) -> None:
        try:
            threading.Thread(target=self._write_all, name="stock-journal", daemon=True).start()
        except RuntimeError:  # no thread to be had just now: the next entry tries again
            self._writing = False
            raise

    def _write_all(self) -> None:
        while True:
            time.sleep(GATHER_SECONDS)
            with self._lock:
                batch, self._pages = self._pages[:BATCH_SIZE], self._pages[BATCH_SIZE:]
                if not batch:
                    self._writing = False
                    return
            self._write_batch(batch)

    def _write_batch(self, batch: list[_Page]) -> None:
        try:
            with deadline(COMMIT_SECONDS):
                states = self._commit([page.entry for page in batch])
        except Exception as error:
            for page in batch:
                page.error = error
        else:
            for page in batch:
                page.state = states.get(page.entry.id, "stale")
        for page in batch:
            page.written.set()

    def _commit(self, entries: list[Entry]) -> dict[str, str]:
        with transaction(self.engine) as session:
            # Shared lock: a rebuild waits for us, or we see its epoch.
            epoch = session.execute(select(StockFence.epoch).with_for_update(read=True)).scalar()
            # In one order everywhere, so that two processes with the same clicks never deadlock.
            fresh = [vars(entry) for entry in sorted(entries, key=attrgetter("id")) if entry.epoch == epoch]
            if fresh:
                session.connection().execute(_INSERT, fresh)
            ids = [entry.id for entry in entries]
            return {row.id: row.state for row in session.execute(_STATES, {"ids": ids})}
