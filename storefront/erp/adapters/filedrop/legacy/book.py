"""The books of the back office: an SQLite file that no one else opens."""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

LOCK_SECONDS = 30.0

SCHEMA = """
CREATE TABLE IF NOT EXISTS files (sequence INTEGER PRIMARY KEY);
CREATE TABLE IF NOT EXISTS documents (order_id INTEGER, kind TEXT, PRIMARY KEY (order_id, kind));
CREATE TABLE IF NOT EXISTS lines (
    order_id INTEGER, line INTEGER, sku TEXT NOT NULL, quantity INTEGER NOT NULL, unit_price TEXT NOT NULL,
    currency TEXT NOT NULL, PRIMARY KEY (order_id, line));
CREATE TABLE IF NOT EXISTS stock (sku TEXT PRIMARY KEY, on_hand INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS shipped (order_id INTEGER PRIMARY KEY);
CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS outgoing (name TEXT PRIMARY KEY, body BLOB);
CREATE VIEW IF NOT EXISTS live_lines AS SELECT * FROM lines
    WHERE order_id NOT IN (SELECT order_id FROM documents WHERE kind = 'cancelled');
CREATE VIEW IF NOT EXISTS promisable AS SELECT stock.sku, on_hand - coalesce(sum(quantity), 0) AS units
    FROM stock LEFT JOIN live_lines ON live_lines.sku = stock.sku AND order_id NOT IN (SELECT order_id FROM shipped)
    GROUP BY stock.sku;
"""


@dataclass(frozen=True)
class BookLine:
    """A line of an order on the books."""

    order_id: int
    line: int
    sku: str
    quantity: int
    unit_price: Decimal
    currency: str


class Refused(Exception):
    """The back office does not do this; the message says why."""


class Book:
    """Orders, stock and what is still to be told. All writing stands in a `transaction`."""

    def __init__(self, path: Path):
        self._db = sqlite3.connect(path, timeout=LOCK_SECONDS, isolation_level=None)
        self._db.executescript(SCHEMA)

    def close(self) -> None:
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, one at a time."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def last_file(self) -> int:
        """The number of the last order file that was worked off; 0: none."""
        return self._one("SELECT coalesce(max(sequence), 0) FROM files")

    def note_file(self, sequence: int) -> None:
        self._db.execute("INSERT INTO files VALUES (?)", (sequence,))
        self._note_change()

    def knows(self, order_id: int, kind: str) -> bool:
        return bool(self._one("SELECT count(*) FROM documents WHERE order_id = ? AND kind = ?", order_id, kind))

    def sells(self, sku: str) -> bool:
        return bool(self._one("SELECT count(*) FROM stock WHERE sku = ?", sku))

    def has_shipped(self, order_id: int) -> bool:
        return bool(self._one("SELECT count(*) FROM shipped WHERE order_id = ?", order_id))

    def place(self, order_id: int, lines: Iterable[BookLine]) -> None:
        self._db.execute("INSERT INTO documents VALUES (?, 'placed')", (order_id,))
        self._db.executemany(
            "INSERT INTO lines VALUES (?, ?, ?, ?, ?, ?)",
            [(order_id, one.line, one.sku, one.quantity, str(one.unit_price), one.currency) for one in lines],
        )
        self._note_change()

    def cancel(self, order_id: int) -> None:
        self._db.execute("INSERT INTO documents VALUES (?, 'cancelled')", (order_id,))
        self._note_change()

    def ship(self, order_id: int) -> None:
        """Let an order leave the house. Raises Refused."""
        if not self.knows(order_id, "placed") or self.knows(order_id, "cancelled"):
            raise Refused(f"order {order_id} is not on the books")
        if self.has_shipped(order_id):
            raise Refused(f"order {order_id} has been shipped before")
        self._db.execute("INSERT INTO shipped VALUES (?)", (order_id,))
        for one in self.lines(order_id):
            self._db.execute("UPDATE stock SET on_hand = on_hand - ? WHERE sku = ?", (one.quantity, one.sku))
        self._note_change()

    def receive(self, sku: str, units: int) -> None:
        """Units have come in, of a SKU that may be new."""
        self.open_stock(sku, 0)
        self._db.execute("UPDATE stock SET on_hand = on_hand + ? WHERE sku = ?", (units, sku))
        self._note_change()

    def open_stock(self, sku: str, units: int) -> None:
        """Begin with so many units of a SKU; one that is known keeps what it has."""
        if self._db.execute("INSERT OR IGNORE INTO stock VALUES (?, ?)", (sku, units)).rowcount:
            self._note_change()

    def count(self, sku: str, units: int) -> None:
        """So many units are on hand, whatever the books said."""
        self.open_stock(sku, units)
        self._db.execute("UPDATE stock SET on_hand = ? WHERE sku = ?", (units, sku))
        self._note_change()

    def promisable(self) -> dict[str, int]:
        """Units on hand minus what open orders wait for, by SKU; below 0 where more was promised than there is."""
        return dict(self._db.execute("SELECT sku, units FROM promisable ORDER BY sku"))

    def lines(self, order_id: int | None = None) -> list[BookLine]:
        """The lines of one order, or of all, without those that were cancelled."""
        found = self._db.execute(
            "SELECT order_id, line, sku, quantity, unit_price, currency FROM live_lines"
            " WHERE ?1 IS NULL OR order_id = ?1 ORDER BY order_id, line",
            (order_id,),
        )
        return [
            BookLine(order_id, line, sku, quantity, Decimal(unit_price), currency)
            for order_id, line, sku, quantity, unit_price, currency in found
        ]

    def changes(self) -> int:
        """How often something has changed."""
        return self.counter("changes")

    def counter(self, name: str) -> int:
        return self._one("SELECT coalesce(max(value), 0) FROM counters WHERE name = ?", name)

    def set_counter(self, name: str, value: int) -> None:
        self._db.execute("INSERT OR REPLACE INTO counters VALUES (?, ?)", (name, value))

    def tell(self, name: str, body: bytes) -> None:
        """Put a file on the list of those that have to appear in the folder."""
        self._db.execute("INSERT INTO outgoing VALUES (?, ?)", (name, body))

    def untold(self) -> list[tuple[str, bytes]]:
        return list(self._db.execute("SELECT name, body FROM outgoing ORDER BY rowid"))

    def note_told(self, name: str) -> None:
        self._db.execute("DELETE FROM outgoing WHERE name = ?", (name,))

    def _note_change(self) -> None:
        self.set_counter("changes", self.changes() + 1)

    def _one(self, query: str, *values: object) -> int:
        with closing(self._db.execute(query, values)) as found:
            return found.fetchone()[0]
