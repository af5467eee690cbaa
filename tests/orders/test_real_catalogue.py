"""A real shop's export, bought empty: every variant that has units can be opened, held and ordered."""

import csv
from collections import Counter
from pathlib import Path

import pytest
from flask import Flask

from storefront.catalog.findings import Findings
from storefront.catalog.importing import import_products
from storefront.catalog.shopify_csv import read_products
from storefront.core.db import db
from storefront.stock import levels
from storefront.stock.stockroom import Stockroom
from storefront.stock.verify import verify
from tests.cart.shelf import visitor

APPAREL = Path(__file__).resolve().parents[3] / "shared" / "data" / "apparel.csv"


@pytest.fixture
def apparel() -> bytes:
    """The file, where it lies beside the project."""
    if not APPAREL.exists():
        pytest.skip("the file of a real shop is not here")
    return APPAREL.read_bytes()


def test_every_variant_of_a_real_shop_with_units_can_be_bought(app: Flask, room: Stockroom, apparel: bytes) -> None:
    for _ in range(2):
        findings = Findings()
        import_products(db.engine, read_products(apparel, findings), findings)
        assert not findings.errors
    accounts = levels.accounts(room)
    in_file = [int(row["Variant Inventory Qty"]) for row in csv.DictReader(apparel.decode().splitlines())]

    answers: Counter[int] = Counter()
    for account in accounts:
        shopper = visitor(app)
        shopper.add(account.sku, account.on_hand)
        total = shopper.get("/api/v1/cart").get_json()["total"]["amount"]
        answers[shopper.order(total).status_code] += 1

    assert sorted(account.on_hand for account in accounts) == sorted(in_file)
    assert answers == {201: len(in_file)}
    assert {account.available for account in levels.accounts(room)} == {0}
    assert verify(room, 0) == []
