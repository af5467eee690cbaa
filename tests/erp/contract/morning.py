"""A morning of a real shop: its invoices, as orders that can be placed again."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby
from pathlib import Path

import pytest

FILE = Path(__file__).resolve().parents[4] / "shared" / "data" / "online-retail.csv"
NO_GOODS = ("POST", "D", "C2")  # postage, discount, carriage


@dataclass(frozen=True)
class Invoice:
    """What somebody bought, units by SKU; or gave back (`is_return`), then he bought it before."""

    number: str
    is_return: bool
    units: dict[str, int]
    prices: dict[str, Decimal]

    @property
    def total(self) -> Decimal:
        return sum((self.prices[sku] * number for sku, number in self.units.items()), Decimal(0))


def invoices() -> Iterator[Invoice]:
    """The invoices in the file, where it lies beside the project."""
    if not FILE.exists():
        pytest.skip("the file of a real shop is not here")
    with FILE.open(newline="", encoding="utf-8-sig") as file:
        rows = [row for row in csv.DictReader(file) if row["StockCode"] not in NO_GOODS]
    for number, of_invoice in groupby(rows, key=lambda row: row["InvoiceNo"]):
        units: dict[str, int] = {}
        prices: dict[str, Decimal] = {}
        for row in of_invoice:
            sku = row["StockCode"]
            units[sku] = units.get(sku, 0) + abs(int(row["Quantity"]))
            prices[sku] = Decimal(row["UnitPrice"])
        yield Invoice(number, number.startswith("C"), units, prices)
