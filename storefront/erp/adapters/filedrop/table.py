"""A CSV file that came in: remarks at its start, its columns, and its rows with the line that each begins on."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")


class Damaged(Exception):
    """Nothing of the file can be taken: where, and why."""

    def __init__(self, line: int | None, column: str, words: str):
        super().__init__(words)
        self.line, self.column, self.words = line, column, words

    def tell(self, source: str) -> str:
        """All of it for people: file, line, column, reason."""
        line = f", line {self.line}" if self.line else ""
        column = f", column {self.column}" if self.column else ""
        return f"{source}{line}{column}: {self.words}"


class Unfinished(Damaged):
    """It does not match its totals, or its last line has no end: perhaps it is being written."""


@dataclass(frozen=True)
class Remark:
    """A line `#name,value` before the header."""

    line: int  # counted from 1
    name: str
    value: str


@dataclass(frozen=True)
class Row:
    """One row: the line it begins on, its cells by column, as it came, and why it cannot be read, if so."""

    line: int
    cells: dict[str, str]
    raw: str
    damage: str = ""


@dataclass(frozen=True)
class Table:
    remarks: list[Remark] = field(default_factory=list)
    header_line: int = 1
    rows: list[Row] = field(default_factory=list)


def is_finished(data: bytes) -> bool:
    """Whether the last line has an end; without one it may be the first half of a line."""
    return data.endswith((b"\n", b"\r"))


def read_table(data: bytes, columns: Sequence[str]) -> Table:
    """Read UTF-8 CSV, with or without byte order mark, with any line ends; empty rows are left out.

    columns: those that have to be there, in any case and order; others are kept, too. Raises Damaged.
    """
    refuse_binary(data)
    text = _decode(data)
    remarks, rest = _remarks(text)
    reader = csv.reader(io.StringIO(rest, newline=""), strict=True)
    first = len(remarks) + 1
    try:
        header = [cell.strip().casefold() for cell in next(reader, [])]
    except csv.Error as error:
        raise Damaged(first, "", f"the header cannot be read: {error}") from error
    _check_header(header, columns, first)
    return Table(remarks, first, list(_rows(reader, header, list(io.StringIO(rest, newline="")), len(remarks))))


def refuse_binary(data: bytes) -> None:
    """Raise Damaged for what is no text at all, or UTF-16."""
    if data.startswith(UTF_16_MARKS):
        raise Damaged(1, "", "this is UTF-16: write the file as UTF-8 CSV")
    if b"\x00" in data:
        raise _damaged_at(data, data.index(b"\x00"), "a NUL byte: write the file as UTF-8 CSV")


def _decode(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        whole: bytes = error.object  # without the byte order mark
        words = f"byte 0x{whole[error.start]:02X} is not UTF-8: write the file as UTF-8 CSV"
        raise _damaged_at(whole, error.start, words) from error


def _damaged_at(data: bytes, place: int, words: str) -> Damaged:
    """Damage at a byte of a file that cannot be read as a table: its line, and its column by the commas before it."""
    before = data[:place]
    line, start = before.count(b"\n") + 1, before.rfind(b"\n") + 1
    commas = before[start:].count(b",")
    header = next((one for one in data.splitlines() if not one.startswith(b"#")), b"")
    names = header.replace(b"\x00", b"").decode("ascii", "replace").split(",")
    name = names[commas].strip() if commas < len(names) else str(commas + 1)
    return Damaged(line, name, f"{words} (byte {place - start + 1} of the line)")


def _remarks(text: str) -> tuple[list[Remark], str]:
    """The remarks, and the text behind them."""
    found: list[Remark] = []
    while text.startswith("#"):
        line, end, text = text.partition("\n")
        name, _, value = line[1:].partition(",")
        found.append(Remark(len(found) + 1, name.strip().casefold(), value.strip(' \r",')))
        if not end:
            break
    return found, text


def _check_header(header: list[str], columns: Sequence[str], line: int) -> None:
    for name in columns:
        if name not in header:
            hint = "; the columns have to be separated by commas" if len(header) == 1 and ";" in header[0] else ""
            raise Damaged(line, name, f"there is no such column in the header{hint}")
        if header.count(name) > 1:
            raise Damaged(line, name, "there is more than one such column in the header")


def _rows(reader: Iterator[list[str]], header: list[str], lines: list[str], before: int) -> Iterator[Row]:
    """before: how many lines stand before those that `reader` reads."""
    while True:
        start = reader.line_num  # type: ignore[attr-defined]
        damage = ""
        try:
            values = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            values, damage = [], _reason(error)
        raw = "".join(lines[start : reader.line_num]).rstrip("\r\n")  # type: ignore[attr-defined]
        if len(values) > len(header) and any(value.strip() for value in values[len(header) :]):
            damage = f"the row has {len(values)} cells, the header has {len(header)}"
        if damage or any(value.strip() for value in values):
            yield Row(before + start + 1, dict(zip(header, values, strict=False)), raw, damage)


def _reason(error: csv.Error) -> str:
    open_quote = "a quote is opened and never closed, so nothing behind it could be read"
    return open_quote if "end of data" in str(error) else f"the row cannot be read: {error}"
