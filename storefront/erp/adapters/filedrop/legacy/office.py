"""The work of the back office: order files in, acknowledgements, stock figures and books out.

What it has to tell is noted in the same transaction as what it has done, and put into the folder afterwards; who
is killed in between puts it the next time. So nothing is booked twice, and nothing stays untold.
"""

import csv
import io
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from typing import Any

from storefront.erp.adapters.filedrop.folder import LocalFolder
from storefront.erp.adapters.filedrop.legacy.book import Book, BookLine
from storefront.erp.adapters.filedrop.names import name_of, sequence_of, sidecar_of

ACK_COLUMNS = ("order_id", "line", "result", "message", "erp_id")
BOOKED_COLUMNS = ("order_id", "line", "sku", "quantity", "unit_price", "currency")

AckRow = tuple[object, ...]


class BadFile(Exception):
    """An order file as a whole cannot be right; the message says why."""


@dataclass(frozen=True)
class OrderPart:
    """An order, or its cancellation, as it stands in a file."""

    order_id: int
    kind: str
    lines: list[BookLine]


class Office:
    """A back office that works on a drop folder."""

    def __init__(self, folder: Path, book: Book):
        self.folder = LocalFolder(folder)
        self.book = book

    def import_orders(self) -> list[str]:
        """Book the order files that are there, strictly in sequence; return what was done, for people."""
        done = []
        while (one := self._import_next()) is not None:
            done.append(one)
        return done

    def export_stock(self) -> None:
        """Put a stock file, where something has changed since the last."""
        with self.book.transaction():
            if self._has_news("stock"):
                remarks = {"as_of": _now(), "batch": self.book.last_file()}
                self._export("stock", ("sku", "quantity"), self.book.promisable().items(), remarks)
        self.put_files()

    def export_booked(self) -> None:
        """Put a file with every line on the books, where something has changed since the last."""
        with self.book.transaction():
            if self._has_news("booked"):
                lines = (
                    (one.order_id, one.line, one.sku, one.quantity, one.unit_price, one.currency)
                    for one in self.book.lines()
                )
                self._export("booked", BOOKED_COLUMNS, lines, {})
        self.put_files()

    def put_files(self) -> None:
        """Put what was noted and is not in the folder yet; what is there, perhaps archived, was put by another."""
        for name, body in self.book.untold():
            if self.folder.find(name) is None:
                try:
                    self.folder.put({name: body})
                except FileExistsError:
                    pass
            self.book.note_told(name)

    def _import_next(self) -> str | None:
        with self.book.transaction():
            sequence = self.book.last_file() + 1
            name = name_of("orders", sequence)
            try:
                data = self.folder.read(name)
            except FileNotFoundError:
                self._tell_gap(sequence)
                return None
            done = self._import(name, sequence, data)
        self.put_files()
        return done

    def _tell_gap(self, sequence: int) -> None:
        numbers = [sequence_of("orders", entry.name) or 0 for entry in self.folder.list("orders-")]
        if max(numbers, default=0) > sequence:
            print(f"{name_of('orders', sequence)} is missing: nothing is booked before it is there", flush=True)

    def _import(self, name: str, sequence: int, data: bytes) -> str:
        try:
            parts = _read(data, self.folder.find(sidecar_of(name)))
        except BadFile as bad:
            rows: list[AckRow] = [("", "", "rejected", str(bad), "")]
            done = f"{name}: refused: {bad}"
        else:
            rows = [row for part in parts for row in self._book(part)]
            rejected = {row[0] for row in rows if row[2] == "rejected"}
            done = f"{name}: {len(parts)} orders, {len(rejected)} of them rejected"
        self.book.note_file(sequence)
        self.book.tell(name_of("ack", sequence), _csv([ACK_COLUMNS, *rows, ("#rows", len(rows))]))
        return done

    def _book(self, part: OrderPart) -> list[AckRow]:
        erp_id = f"SO-{part.order_id:06d}"
        if self.book.knows(part.order_id, part.kind):
            return [(part.order_id, "", "duplicate", "", erp_id)]
        refusals = self._refusals(part)
        if refusals:
            return [(part.order_id, line, "rejected", words, "") for line, words in refusals]
        if part.kind == "placed":
            self.book.place(part.order_id, part.lines)
        else:
            self.book.cancel(part.order_id)
        return [(part.order_id, "", "applied", "", erp_id)]

    def _refusals(self, part: OrderPart) -> list[tuple[int | str, str]]:
        if part.kind == "placed":
            return [(one.line, f"unknown SKU {one.sku}") for one in part.lines if not self.book.sells(one.sku)]
        if not self.book.knows(part.order_id, "placed"):
            return [("", f"order {part.order_id} is not on the books")]
        if self.book.has_shipped(part.order_id):
            return [("", f"order {part.order_id} has been shipped")]
        return []

    def _has_news(self, what: str) -> bool:
        return self.book.counter(f"{what} told") != self.book.changes()

    def _export(
        self, what: str, columns: Iterable[str], rows: Iterable[tuple[object, ...]], remarks: dict[str, object]
    ) -> None:
        sequence = self.book.counter(f"{what} sequence") + 1
        table = list(rows)
        notes = [(f"#{name}", value) for name, value in {**remarks, "rows": len(table)}.items()]
        self.book.set_counter(f"{what} sequence", sequence)
        self.book.set_counter(f"{what} told", self.book.changes())
        self.book.tell(name_of(what, sequence), _csv([*notes, tuple(columns), *table]))


def _read(data: bytes, sidecar: bytes | None) -> list[OrderPart]:
    """The orders of a file that is what the totals beside it say. Raises BadFile."""
    totals = _totals(sidecar)
    if sha256(data).hexdigest() != totals["sha256"]:
        raise BadFile("its SHA-256 is not the one beside it")
    rows = list(csv.DictReader(io.StringIO(data.decode("utf-8"), newline="")))
    parts = [
        OrderPart(int(order_id), kind, [_line(row) for row in of_it])
        for (order_id, kind), of_it in groupby(rows, key=lambda row: (row["order_id"], row["kind"]))
    ]
    found = {
        "orders": len(parts),
        "lines": len(rows),
        "quantity": sum(int(row["quantity"]) for row in rows),
        "amount": sum((int(row["quantity"]) * Decimal(row["unit_price"]) for row in rows), Decimal(0)),
    }
    for name, value in found.items():
        if value != Decimal(totals[name]):
            raise BadFile(f"{name}: {value} in the file, {totals[name]} beside it")
    return parts


def _totals(sidecar: bytes | None) -> dict[str, Any]:
    try:
        totals = json.loads(sidecar or b"")
    except ValueError as error:
        raise BadFile("there is no JSON file with totals beside it, or it cannot be read") from error
    missing = {"orders", "lines", "quantity", "amount", "sha256"} - set(totals)
    if missing:
        raise BadFile(f"the JSON file beside it does not say {', '.join(sorted(missing))}")
    return totals


def _line(row: dict[str, str]) -> BookLine:
    return BookLine(
        *(int(row["order_id"]), int(row["line"]), row["sku"], abs(int(row["quantity"]))),
        *(Decimal(row["unit_price"]), row["currency"]),
    )


def _csv(rows: Iterable[Iterable[object]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
