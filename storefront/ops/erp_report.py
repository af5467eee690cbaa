"""The reconciliation as JSON and as CSV."""

import csv
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, TextIO

from storefront.erp.adapter import BookedLine
from storefront.erp.adapters.filedrop.cells import escape
from storefront.erp.reconcile import COMPARED, Difference, Pair, Report, Sold, Tally

DIFFERENCE_COLUMNS = [
    "kind", "day", "order_id", "number", "line", "fields", "why",
    *(f"{side}_{name}" for side in ("shop", "erp") for name in COMPARED),
]  # fmt: skip
DAY_COLUMNS = [
    "day", "sku", "currency", *(f"{side}_{name}" for side in ("shop", "erp") for name in ("lines", "units", "money")),
]  # fmt: skip


def as_json(report: Report) -> dict[str, Any]:
    """All of a report; `ok` says that there is nothing for anybody to look at."""
    return {
        "ok": not report.differences,
        "counts": dict(report.counts),
        "totals": [{"currency": name, **_pair(pair)} for name, pair in report.totals().items()],
        "differences": [_difference(one) for one in report.differences],
        "on_the_way": [_difference(one) for one in report.found if one.kind == "on_the_way"],
        "days": [
            {"day": day or None, "sku": sku, "currency": currency, **_pair(pair)}
            for (day, sku, currency), pair in sorted(report.cells.items())
        ],
    }


def _pair(pair: Pair) -> dict[str, Any]:
    return {"shop": _tally(pair.shop), "erp": _tally(pair.erp), "difference": _tally(pair.difference)}


def _tally(tally: Tally) -> dict[str, Any]:
    return {"lines": tally.lines, "units": tally.units, "money": _amount(tally.money)}


def _amount(money: Decimal) -> str:
    return f"{money:.2f}" if money == round(money, 2) else str(money)  # an ERP may calculate with more decimals


def _difference(one: Difference) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "day": one.day or None,
        "order_id": one.order_id,
        "number": one.number,
        "line": one.line,
        "fields": one.fields,
        "why": one.why,
        "shop": _line(one.shop),
        "erp": _line(one.erp),
    }


def _line(one: Sold | BookedLine | None) -> dict[str, Any] | None:
    if one is None:
        return None
    return {
        "sku": one.sku, "quantity": one.quantity, "unit_price": _amount(one.unit_price), "currency": one.currency,
    }  # fmt: skip


def write_differences(report: Report, file: TextIO) -> None:
    """Write a row for each line that somebody has to look at."""
    rows = (_difference(one) for one in report.differences)
    _write(file, DIFFERENCE_COLUMNS, ({**one, **_flat(one), "fields": " ".join(one["fields"])} for one in rows))


def write_days(report: Report, file: TextIO) -> None:
    """Write a row for each day and SKU, the same on both sides or not."""
    _write(file, DAY_COLUMNS, ({**one, **_flat(one)} for one in as_json(report)["days"]))


def _flat(one: Mapping[str, Any]) -> dict[str, Any]:
    return {f"{side}_{name}": value for side in ("shop", "erp") for name, value in (one[side] or {}).items()}


def _write(file: TextIO, columns: list[str], rows: Iterable[Mapping[str, Any]]) -> None:
    writer = csv.DictWriter(file, columns, extrasaction="ignore")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: escape(text) if isinstance(text, str) else text for name, text in row.items()})
