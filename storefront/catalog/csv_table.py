"""A CSV file as a table: columns by name, rows with the line they begin on."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass

from storefront.catalog.findings import UnusableFile

LONGEST_CELL = 10_000_000  # characters; the library's own bound of 131,072 is less than some product texts


@dataclass(frozen=True)
class Row:
    """One row: the line it begins on, its cells by column, and why it cannot be read, if so."""

    line: int
    cells: dict[str, str]
    damage: str = ""


def read_table(data: bytes, known: tuple[str, ...], mandatory: tuple[str, ...]) -> tuple[frozenset[str], list[Row]]:
    """Read UTF-8 CSV, with or without byte order mark, with any line ends; empty rows are left out.

    known: the columns to keep, found in any case; mandatory: those that have to be there.
    Returns the known columns that the file has, and its rows.
    Raises UnusableFile naming the line and byte that is not UTF-8, or the columns that are missing or doubled.
    """
    csv.field_size_limit(LONGEST_CELL)
    reader = csv.reader(io.StringIO(_decode(data), newline=""), strict=True)
    try:
        header = next(reader, [])
    except csv.Error as error:
        raise UnusableFile(f"line 1: the header cannot be read: {error}.") from error
    columns = _columns(header, known, mandatory)
    return frozenset(columns) - {""}, list(_rows(reader, columns))


def _decode(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise UnusableFile("line 1, byte 1: this is UTF-16. Save the file as UTF-8 CSV.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # error.start counts in error.object, which lacks the byte order mark.
        before = error.object[: error.start]
        line, byte = before.count(b"\n") + 1, len(before) - (before.rfind(b"\n") + 1) + 1
        found = error.object[error.start]
        message = f"line {line}, byte {byte} of that line (0x{found:02X}): not UTF-8. Save the file as UTF-8 CSV."
        raise UnusableFile(message) from error


def _columns(header: list[str], known: tuple[str, ...], mandatory: tuple[str, ...]) -> list[str]:
    """For each place in a row the known column it holds, or ""."""
    names = {name.casefold(): name for name in known}
    columns = [names.get(name.strip().casefold(), "") for name in header]
    missing = [name for name in mandatory if name not in columns]
    if missing:
        hint = " The columns have to be separated by commas." if len(header) == 1 and ";" in header[0] else ""
        raise UnusableFile(f"line 1: there is no column {', '.join(missing)}.{hint}")
    doubled = sorted({name for name in columns if name and columns.count(name) > 1})
    if doubled:
        raise UnusableFile(f"line 1: there is more than one column {', '.join(doubled)}.")
    return columns


def _rows(reader: Iterator[list[str]], columns: list[str]) -> Iterator[Row]:
    while True:
        line = reader.line_num + 1  # type: ignore[attr-defined]
        try:
            values = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Row(line, {}, f"the row cannot be read: {_reason(error)}")
            continue
        if any(value.strip() for value in values):
            yield _row(line, values, columns)


def _reason(error: csv.Error) -> str:
    return "a quote is opened and never closed" if "end of data" in str(error) else str(error)


def _row(line: int, values: list[str], columns: list[str]) -> Row:
    cells = {name: value for name, value in zip(columns, values, strict=False) if name}
    damage = ""
    if any(value.strip() for value in values[len(columns) :]):
        damage = f"the row has {len(values)} cells, the header has {len(columns)}"
    elif any("\x00" in value for value in cells.values()):
        damage = "the row has a NUL character"
    return Row(line, cells, damage)
