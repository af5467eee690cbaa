"""Bare writers: the same files as the file drop's, put on disk in the same way, and nothing else done."""

import csv
import io
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

Rows = Sequence[tuple[str, ...]]


@dataclass(frozen=True)
class Files:
    """One batch on disk: the CSV file, the totals beside it, and the rows in it as plain tuples."""

    name: str
    table: bytes
    totals: bytes
    rows: Rows


def read_files(drop: Path, past: int) -> list[Files]:
    """The batches that lie in a drop, by number, without the first `past`."""
    return [_read(path) for path in sorted(drop.glob("orders-*.csv"))[past:]]


def _read(path: Path) -> Files:
    table = path.read_bytes()
    rows = [tuple(row) for row in csv.reader(io.StringIO(table.decode(), newline=""))]
    return Files(path.name, table, path.with_suffix(".json").read_bytes(), rows)


def write_formatted(batches: Sequence[Files], folder: Path) -> None:
    """Write each batch by csv.writer; its totals are bytes already."""
    for one in batches:
        text = io.StringIO()
        csv.writer(text).writerows(one.rows)
        _put(folder, one.name, text.getvalue().encode(), one.totals)


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
