"""A shop to be tested from outside: products on the shelf, and visitors who come in over HTTP."""

import csv
import io
import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context
from threading import Barrier
from typing import Any, TypeVar

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text
from werkzeug.test import TestResponse

from storefront.catalog.findings import Findings
from storefront.catalog.importing import import_products
from storefront.catalog.shopify_csv import read_products
from storefront.core.db import db, transaction
from storefront.stock import keys
from storefront.stock.stockroom import Stockroom

ORIGIN = "http://localhost"
DETAILS = {
    "email": "ann@example.org",
    "name": "Ann Example",
    "address": {
        "line1": "Hill Street 1", "line2": "", "city": "Ulm", "postal_code": "89073", "region": "", "country": "DE",
    },
}  # fmt: skip

Answer = TypeVar("Answer")


class Visitor(FlaskClient):
    """A browser. Each request stands alone, as in a served shop: nothing of the test's app context reaches it."""

    def open(self, *args: Any, **kwargs: Any) -> TestResponse:
        return Context().run(super().open, *args, **kwargs)

    def add(self, sku: str, quantity: object = 1, **more: Any) -> TestResponse:
        return self.post("/api/v1/cart/items", json={"sku": sku, "quantity": quantity, **more})

    def cart(self) -> dict[str, int]:
        """Units held, by SKU."""
        return {item["sku"]: item["quantity"] for item in self.get("/api/v1/cart").get_json()["items"]}

    def order(self, amount: str, key: str | None = "key-1", **changed: Any) -> TestResponse:
        """Order the cart for `amount`; without a key the header is not sent."""
        body = {**DETAILS, "expected_total": {"amount": amount, "currency": "EUR"}, **changed}
        headers = {} if key is None else {"Idempotency-Key": key}
        return self.post("/api/v1/orders", json=body, headers=headers)


def visitor(app: Flask, origin: str | None = ORIGIN) -> Visitor:
    """Somebody new, whose browser sends this Origin; None: it sends none."""
    somebody = Visitor(app, app.response_class)
    if origin is not None:
        somebody.environ_base["HTTP_ORIGIN"] = origin
    return somebody


def product_file(price: str, units: Mapping[str, int]) -> str:
    """A product CSV with a product for each SKU, its slug the SKU's small letters."""
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow(["Handle", "Title", "Variant SKU", "Variant Inventory Qty", "Variant Price"])
    for sku, number in units.items():
        writer.writerow([re.sub(r"\W+", "-", sku.lower()), f"The {sku.lower()}", sku, number, price])
    return file.getvalue()


def shelve(units: Mapping[str, int] | None = None, /, price: str = "10.00", **more: int) -> None:
    """Import a product for each SKU: `shelve(MUG=5, CAP=0)`, or `shelve({"A B": 5})`."""
    findings = Findings()
    import_products(
        db.engine, read_products(product_file(price, {**(units or {}), **more}).encode(), findings), findings
    )
    assert not findings.errors, findings.errors


def available(app: Flask, sku: str) -> int:
    """What everybody is told to be available."""
    return visitor(app).get("/api/v1/stock", query_string={"sku": sku}).get_json()["stock"][0]["available"]


def let_holds_run_out(room: Stockroom) -> None:
    """Let so much time pass that every hold's deadline is just over; nobody has swept yet."""
    just_over_ms = room.now_ms() - 1
    with transaction(room.engine) as session:
        skus = session.scalars(text("SELECT DISTINCT sku FROM reservations WHERE state = 'active'")).all()
        session.execute(
            text(
                "UPDATE reservations SET created_at_ms = created_at_ms - :passed, expires_at_ms = :now"
                " WHERE state = 'active'"
            ),
            {"passed": room.hold_ms, "now": just_over_ms},
        )
    for sku in skus:
        for reservation_id in room.unfenced.zrange(keys.due(sku), 0, -1):
            room.unfenced.zadd(keys.due(sku), {str(reservation_id): just_over_ms})


def all_at_once(calls: Sequence[Callable[[], Answer]]) -> list[Answer]:
    """Make every call in a thread of its own, all starting together; the answers in the order of `calls`."""
    start = Barrier(len(calls))

    def run(call: Callable[[], Answer]) -> Answer:
        start.wait(10)
        return call()

    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(run, calls))
