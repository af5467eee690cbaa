"""Stock files: the figures of the ERP as of one moment."""

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, Literal

from storefront.erp.adapter import AppliedSet, Problem, Snapshot, UpToBatch, UpToTime
from storefront.erp.adapters.filedrop.cells import starts_formula, unescape
from storefront.erp.adapters.filedrop.numbers import NoNumber, whole_number
from storefront.erp.adapters.filedrop.table import (
    Damaged,
    Row,
    Table,
    Unfinished,
    is_finished,
    read_table,
    refuse_binary,
)
from storefront.erp.documents import PLACED, key_of

Kind = Literal["promisable", "physical"]

COLUMNS = ("sku", "quantity")
KINDS: dict[str, Kind] = {"promisable": "promisable", "physical": "physical"}


@dataclass
class Facts:
    """What the file, and the JSON beside it, say of themselves. rows, quantity: None where they don't."""

    as_of_ms: int | None = None
    batch: int | None = None
    kind: Kind = "promisable"
    shipped: frozenset[int] = frozenset()
    rows: int | None = None
    quantity: int | None = None
    sha256: str | None = None


def read_stock(
    name: str,
    sequence: int,
    data: bytes,
    sidecar: bytes | None,
    skus: Collection[str],
    modified_ms: int,
    margin_ms: int,
) -> Snapshot:
    """The snapshot in a stock file, without the rows that cannot be right.

    skus: those that the shop sells; modified_ms: when the file was written, for one that does not say as of when
    it is. Raises Damaged, and Unfinished.
    """
    refuse_binary(data)
    if not is_finished(data):
        raise Unfinished(data.count(b"\n") + 1, "", "the line has no end: the file is half-written")
    table = read_table(data, COLUMNS)
    facts = _facts(table, sidecar)
    figures, problems = _figures(name, table.rows, frozenset(skus))
    _check_totals(facts, table, data)
    return Snapshot(
        source=name,
        sequence=sequence,
        content_hash=sha256(data).hexdigest(),
        as_of_ms=modified_ms if facts.as_of_ms is None else facts.as_of_ms,
        stock=facts.kind,
        watermark=_watermark(facts, modified_ms, margin_ms),
        figures=figures,
        shipped=_keys(facts),
        problems=problems,
    )


def _watermark(facts: Facts, modified_ms: int, margin_ms: int) -> AppliedSet | UpToBatch | UpToTime:
    if facts.kind == "physical":
        return AppliedSet(_keys(facts))
    if facts.batch is not None:
        return UpToBatch(facts.batch)
    return UpToTime(modified_ms if facts.as_of_ms is None else facts.as_of_ms, margin_ms)


def _keys(facts: Facts) -> frozenset[str]:
    return frozenset(key_of(order_id, PLACED) for order_id in facts.shipped)


def _facts(table: Table, sidecar: bytes | None) -> Facts:
    """What the sidecar says, and over it what the file says itself."""
    facts = Facts()
    for name, value in _members(sidecar).items():
        if name == "shipped" and isinstance(value, list):
            for one in value:
                _learn(facts, name, str(one), None)
        else:
            _learn(facts, name, str(value), None)
    for remark in table.remarks:
        _learn(facts, remark.name, remark.value, remark.line)
    return facts


def _members(sidecar: bytes | None) -> dict[str, Any]:
    if sidecar is None:
        return {}
    try:
        found = json.loads(sidecar)
    except ValueError as error:
        raise Unfinished(None, "", f"the JSON file beside it cannot be read: {error}") from error
    if not isinstance(found, dict):
        raise Damaged(None, "", "the JSON file beside it is no object")
    return found


def _learn(facts: Facts, name: str, value: str, line: int | None) -> None:
    """Take one fact; others than those that are known are remarks for people. Raises Damaged."""
    try:
        if name == "as_of":
            facts.as_of_ms = _time(value)
        elif name in ("batch", "rows"):
            setattr(facts, name, whole_number(value, lowest=0))
        elif name == "quantity":
            facts.quantity = whole_number(value)
        elif name == "shipped":
            facts.shipped |= {whole_number(value, lowest=1)}
        elif name == "sha256":
            facts.sha256 = value.casefold()
        elif name == "kind":
            facts.kind = KINDS[value]
    except NoNumber as error:
        raise Damaged(line, name, str(error)) from error
    except KeyError as error:
        raise Damaged(line, name, f"{value!r} is neither promisable nor physical") from error


def _time(text: str) -> int:
    """A time in ms since 1970. One without an offset from UTC could be hours wrong, so it is refused."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise NoNumber(f"{text!r} is no time such as 2026-11-23T14:05:00Z (with Z or an offset)")
    return int(at.timestamp() * 1000)


def _check_totals(facts: Facts, table: Table, data: bytes) -> None:
    if facts.sha256 is not None and facts.sha256 != sha256(data).hexdigest():
        raise Unfinished(None, "", "its SHA-256 is not the one that the JSON file beside it names")
    if facts.rows is not None and facts.rows != len(table.rows):
        line = table.rows[-1].line if table.rows else table.header_line
        raise Unfinished(line, "", f"the file ends after {len(table.rows)} rows, its total says {facts.rows}")
    quantity = sum(_summand(row) for row in table.rows)
    if facts.quantity is not None and facts.quantity != quantity:
        raise Unfinished(None, "quantity", f"the sum is {quantity}, its total says {facts.quantity}")


def _summand(row: Row) -> int:
    try:
        return whole_number(row.cells.get("quantity", ""))
    except NoNumber:
        return 0


def _figures(name: str, rows: list[Row], skus: frozenset[str]) -> tuple[dict[str, int], list[Problem]]:
    figures: dict[str, int] = {}
    lines: dict[str, int] = {}
    contradicted: set[str] = set()
    problems: list[Problem] = []
    for row in rows:
        try:
            sku, units = _figure(row, skus)
            if figures.get(sku, units) != units:
                contradicted.add(sku)
                raise Damaged(row.line, "sku", f"{sku!r} has {units} here and {figures[sku]} in line {lines[sku]}")
        except Damaged as damaged:
            problems.append(Problem(name, row.line, damaged.column, damaged.words, row.raw))
            continue
        figures[sku] = units
        lines.setdefault(sku, row.line)
    # Nobody knows which of its figures is right: nothing is said of it.
    return {sku: units for sku, units in figures.items() if sku not in contradicted}, problems


def _figure(row: Row, skus: frozenset[str]) -> tuple[str, int]:
    if row.damage:
        raise Damaged(row.line, "", row.damage)
    sku = row.cells.get("sku", "").strip()
    sku = sku if sku in skus else unescape(sku)
    if not sku:
        raise Damaged(row.line, "sku", "is empty")
    if sku not in skus and starts_formula(sku):
        raise Damaged(row.line, "sku", f"{sku!r} would be a formula in a spreadsheet, and is no SKU of the shop")
    try:
        return sku, whole_number(row.cells.get("quantity", ""))
    except NoNumber as error:
        raise Damaged(row.line, "quantity", str(error)) from error
