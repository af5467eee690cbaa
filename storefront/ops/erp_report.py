"""The reconciliation as JSON, as CSV and as a chart."""

import csv
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, TextIO
from xml.etree.ElementTree import Element

import pygal
from pygal.style import Style

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
FONT = "Inter, -apple-system, BlinkMacSystemFont, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif"
SHOP, ERP, LINE = "#c8471f", "#4378ad", "rgba(141, 130, 115, 0.45)"  # as in ops.css; for light and for dark
DARK = "@media (prefers-color-scheme: dark) { text { fill: #f5f0e9 !important } }"
MOST_LABELS = 10


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


def chart(report: Report) -> str:
    """Units per day in the shop and in the ERP, as an SVG without scripts."""
    days = report.days()
    bars = pygal.Bar(
        js=[], width=960, height=320, margin=8, spacing=24, show_legend=False,
        show_minor_x_labels=False, print_values=False, min_scale=3, max_scale=6, style=_style(),
        disable_xml_declaration=True, css=["file://style.css", "file://graph.css", f"inline:{DARK}"], rounded_bars=3,
    )  # fmt: skip
    bars.x_labels = [day or "no day" for day in days]
    bars.x_labels_major = bars.x_labels[:: max(1, -(-len(days) // MOST_LABELS))]
    bars.value_formatter = lambda units: f"{units:,.0f}"
    bars.add("Shop", [pair.shop.units for pair in days.values()])
    bars.add("ERP", [pair.erp.units for pair in days.values()])
    bars.add_xml_filter(_without_scripts)
    return bars.render()


def _style() -> Style:
    text = {"foreground": "#635a4e", "foreground_strong": "#1f1a15", "foreground_subtle": "#ded5c8"}
    sizes = {"label_font_size": 15, "major_label_font_size": 15}
    return Style(
        background="transparent", plot_background="transparent", colors=(SHOP, ERP), font_family=FONT, opacity="1",
        guide_stroke_dasharray="0", major_guide_stroke_dasharray="0", guide_stroke_color=LINE,
        major_guide_stroke_color=LINE, **text, **sizes,
    )  # fmt: skip


def _without_scripts(root: Element) -> Element:
    """pygal writes its configuration for its own JavaScript into the picture, which runs none."""
    for parent in root.iter():
        for child in parent.findall("script"):
            parent.remove(child)
    return root
