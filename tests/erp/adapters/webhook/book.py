"""The books of an ERP: orders, each booked once by its key, and stock. SQLite, and no code of the shop's."""

import json
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import Any

TABLES = """
CREATE TABLE IF NOT EXISTS documents (
    key TEXT PRIMARY KEY, order_id INTEGER, kind TEXT, state TEXT, words TEXT, content TEXT
);
CREATE TABLE IF NOT EXISTS lines (
    order_id INTEGER, line INTEGER, sku TEXT, quantity INTEGER, unit_price TEXT, currency TEXT,
    PRIMARY KEY (order_id, line)
);
CREATE INDEX IF NOT EXISTS lines_sku ON lines (sku);
CREATE TABLE IF NOT EXISTS stock (sku TEXT PRIMARY KEY, on_hand INTEGER, changed_at_ms INTEGER);
CREATE TABLE IF NOT EXISTS batches (id TEXT PRIMARY KEY, sha256 TEXT);
CREATE TABLE IF NOT EXISTS answers (sequence INTEGER PRIMARY KEY AUTOINCREMENT);
"""
PROMISABLE = (
    "SELECT sku, on_hand - (SELECT COALESCE(SUM(quantity), 0) FROM lines WHERE lines.sku = stock.sku) FROM stock"
)
OUTCOMES = {"booked": "applied", "accepted": "accepted", "refused": "rejected"}

Json = dict[str, Any]


class Book:
    """One file; what belongs together is written together."""

    def __init__(self, path: Path):
        self._lock = RLock()
        self._file = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._file.executescript(TABLES)

    def close(self) -> None:
        with self._lock:  # a request may be under way, and sqlite3 crashes where it is closed beneath one
            self._file.close()

    @contextmanager
    def _change(self) -> Iterator[None]:
        with self._lock:
            self._file.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._file.execute("ROLLBACK")
                raise
            self._file.execute("COMMIT")

    def _do(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._file.execute(query, values).fetchall()

    # -- orders ------------------------------------------------------------------------------------------------

    def same_batch(self, batch_id: str, sha256: str) -> bool:
        """Whether a batch is new, or has the content it had before."""
        with self._change():
            self._do("INSERT INTO batches VALUES (?, ?) ON CONFLICT DO NOTHING", batch_id, sha256)
            return self._do("SELECT sha256 FROM batches WHERE id = ?", batch_id) == [(sha256,)]

    def take(self, document: Json, *, at_once: bool = True) -> Json:
        """Book an order or a cancellation, or only accept it; one that is known by its key is a duplicate."""
        key = document["idempotency_key"]
        with self._change():
            known = self._known(key)
            if known and known["outcome"] != "rejected":  # what was refused may be right by now
                return known | ({"outcome": "duplicate"} if known["outcome"] == "applied" else {})
            state, words = self._book(document) if at_once else ("accepted", "")
            if state == "too early":
                return told(key, "retry_later", words)
            content = json.dumps(document)
            self._do(
                "INSERT OR REPLACE INTO documents VALUES (?, ?, ?, ?, ?, ?)",
                key, document["order_id"], document["kind"], state, words, content,
            )  # fmt: skip
        return told(key, OUTCOMES[state], words)

    def work(self) -> None:
        """Book what was only accepted."""
        with self._change():
            for key, content in self._do("SELECT key, content FROM documents WHERE state = 'accepted' ORDER BY rowid"):
                state, words = self._book(json.loads(content))
                if state != "too early":
                    self._do("UPDATE documents SET state = ?, words = ? WHERE key = ?", state, words, key)

    def _book(self, document: Json) -> tuple[str, str]:
        """What becomes of a document, and why."""
        order_id = document["order_id"]
        if document["kind"] == "cancelled":
            placed = self._do("SELECT state FROM documents WHERE order_id = ? AND kind = 'placed'", order_id)
            if placed != [("booked",)]:
                return ("too early", "its order is not booked yet") if placed else ("refused", "there is no such order")
            self._touch(one["sku"] for one in document["lines"])
            self._do("DELETE FROM lines WHERE order_id = ?", order_id)
            return "booked", ""
        for one in document["lines"]:
            if not self._do("SELECT 1 FROM stock WHERE sku = ?", one["sku"]):
                return "refused", f"there is no article {one['sku']}"
        self._touch(one["sku"] for one in document["lines"])
        for one in document["lines"]:
            self._do(
                "INSERT INTO lines VALUES (?, ?, ?, ?, ?, ?)",
                order_id, one["line"], one["sku"], one["quantity"], one["unit_price"], document["currency"],
            )  # fmt: skip
        return "booked", ""

    def _known(self, key: str) -> Json:
        found = self._do("SELECT state, words FROM documents WHERE key = ?", key)
        return told(key, OUTCOMES[found[0][0]], found[0][1]) if found else {}

    def look_up(self, keys: Sequence[str]) -> list[Json]:
        """What has become of the documents with these keys; those that were never taken are left out."""
        return [known for key in keys if (known := self._known(key))]

    def booked(self, after: int = 0, orders: int = -1) -> list[Json]:
        """The lines of the first orders after one, in the order of their numbers."""
        names = ("order_id", "line", "sku", "quantity", "unit_price", "currency")
        page = "SELECT DISTINCT order_id FROM lines WHERE order_id > ? ORDER BY order_id LIMIT ?"
        lines = f"SELECT {', '.join(names)} FROM lines WHERE order_id IN ({page}) ORDER BY order_id, line"
        return [dict(zip(names, row, strict=True)) for row in self._do(lines, after, orders)]

    # -- stock -------------------------------------------------------------------------------------------------

    def set_stock(self, units: Mapping[str, int]) -> None:
        with self._change():
            for sku, number in units.items():
                self._do("INSERT OR REPLACE INTO stock VALUES (?, ?, ?)", sku, number, _now_ms())

    def _touch(self, skus: Iterator[str]) -> None:
        for sku in skus:
            self._do("UPDATE stock SET changed_at_ms = ? WHERE sku = ?", _now_ms(), sku)

    def promisable(self) -> dict[str, int]:
        """On hand minus what is booked, by SKU."""
        return dict(self._do(PROMISABLE))

    def snapshot(self, skus: Sequence[str] | None, pending: Sequence[str]) -> Json:
        """The figures, and before them: which of the pending documents they have deducted."""
        applied = [one["key"] for one in self.look_up(pending) if one["outcome"] == "applied"]
        figures = {sku: units for sku, units in self.promisable().items() if skus is None or sku in set(skus)}
        with self._change():
            ((sequence,),) = self._do("INSERT INTO answers DEFAULT VALUES RETURNING sequence")
        return {"sequence": sequence, "stock": "promisable", "applied": applied, "figures": figures}

    def changed_since(self, at_ms: int) -> list[str]:
        return [sku for (sku,) in self._do("SELECT sku FROM stock WHERE changed_at_ms >= ? ORDER BY sku", at_ms)]


def told(key: str, outcome: str, words: str) -> Json:
    return {"key": key, "outcome": outcome, "message": words, "erp_id": f"SO-{key}"}


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
