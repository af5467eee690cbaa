"""Bare writers: the same files as the file drop's, put on disk in the same way, and nothing else done."""

import csv
import io
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

TYPES: dict[str, type] = {"order_id": int, "line": int, "quantity": int, "unit_price": Decimal, "tax": Decimal}


@dataclass(frozen=True)
class Files:
    """One batch on disk: the CSV file and the totals beside it, and the rows as values, their header first."""

    name: str
    table: bytes
    totals: bytes
    rows: Sequence[Sequence[Any]]
    named: Mapping[str, Any]  # what the totals say and rows do not tell, such as the batch's id


def read_files(drop: Path, past: int) -> list[Files]:
    """The batches that lie in a drop, by number, without the first `past`."""
    return [_read(path) for path in sorted(drop.glob("orders-*.csv"))[past:]]


def _read(path: Path) -> Files:
    table, totals = path.read_bytes(), path.with_suffix(".json").read_bytes()
    header, *rows = csv.reader(io.StringIO(table.decode(), newline=""))
    types = [TYPES.get(name, str) for name in header]
    values = [tuple(kind(cell) for kind, cell in zip(types, row, strict=True)) for row in rows]
    return Files(path.name, table, totals, [tuple(header), *values], json.loads(totals))


def write_formatted(batches: Sequence[Files], folder: Path) -> None:
    """Write each batch by csv.writer, and what its rows come to."""
    for one in batches:
        text = io.StringIO()
        csv.writer(text).writerows(one.rows)
        table = text.getvalue().encode()
        _put(folder, one.name, table, _totals(one, table))


def _totals(one: Files, table: bytes) -> bytes:
    rows = one.rows[1:]
    sums = {
        "orders": len({row[0] for row in rows}),
        "lines": len(rows),
        "quantity": sum(row[3] for row in rows),
        "amount": str(sum((row[3] * row[4] for row in rows), Decimal(0))),
        "sha256": sha256(table).hexdigest(),
    }
    return (json.dumps({**one.named, **sums}, indent=1) + "\n").encode()


def write_copied(batches: Sequence[Files], folder: Path) -> None:
    """Write each batch from bytes in memory."""
    for one in batches:
        _put(folder, one.name, one.table, one.totals)


def _put(folder: Path, name: str, table: bytes, totals: bytes) -> None:
    """Both files under temporary names, on disk, linked to their names, and the folder on disk."""
    places = [(folder / name.replace(".csv", ".json"), totals), (folder / name, table)]
    drafts = list(_drafted(places))
    for draft, place in drafts:
        os.link(draft, place)
    for draft, _ in drafts:
        os.unlink(draft)
    _sync(folder, os.O_RDONLY | os.O_DIRECTORY)


def _drafted(places: Sequence[tuple[Path, bytes]]) -> Iterator[tuple[Path, Path]]:
    drafts = [(place.with_name(f".{place.name}.part"), place, data) for place, data in places]
    with ExitStack() as stack:
        files = [stack.enter_context(draft.open("xb")) for draft, _, _ in drafts]
        for file, (_, _, data) in zip(files, drafts, strict=True):
            file.write(data)
        for file in files:  # after all are written: one wait for the disk then often does for both
            file.flush()
            os.fsync(file.fileno())
    return ((draft, place) for draft, place, _ in drafts)


def _sync(path: Path, flags: int) -> None:
    handle = os.open(path, flags)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
