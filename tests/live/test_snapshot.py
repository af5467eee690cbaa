"""The snapshot over HTTP."""

import pytest
from flask import Flask

from storefront.stock import keys
from storefront.stock.stockroom import Stockroom
from tests.cart.shelf import shelve, visitor


def test_it_tells_each_sku_asked_for_in_that_order(app: Flask) -> None:
    shelve(MUG=50, CAP=3, HAT=0)

    answer = visitor(app).get("/api/v1/stock?sku=HAT&sku=MUG&sku=CAP&sku=MUG")

    body = answer.get_json()
    assert answer.status_code == 200
    assert isinstance(body["epoch"], int)
    assert [(level["sku"], level["available"], level["state"]) for level in body["stock"]] == [
        ("HAT", 0, "sold_out"), ("MUG", 50, "in_stock"), ("CAP", 3, "low"),
    ]  # fmt: skip
    assert all(isinstance(level["version"], int) for level in body["stock"])


def test_low_begins_at_the_threshold(app: Flask) -> None:
    threshold = app.extensions["settings"].low_stock_threshold
    shelve(AT=threshold, ABOVE=threshold + 1)

    levels = visitor(app).get("/api/v1/stock?sku=AT&sku=ABOVE").get_json()["stock"]

    assert [level["state"] for level in levels] == ["low", "in_stock"]


def test_the_same_again_is_304_until_something_changes(app: Flask) -> None:
    shelve(MUG=5)
    ann = visitor(app)
    first = ann.get("/api/v1/stock?sku=MUG")

    same = ann.get("/api/v1/stock?sku=MUG", headers={"If-None-Match": first.headers["ETag"]})
    ann.add("MUG")
    changed = ann.get("/api/v1/stock?sku=MUG", headers={"If-None-Match": first.headers["ETag"]})

    assert (same.status_code, same.data) == (304, b"")
    assert changed.status_code == 200
    assert changed.headers["ETag"] != first.headers["ETag"]
    assert "no-cache" in first.headers["Cache-Control"]


def test_every_change_raises_the_version(app: Flask) -> None:
    shelve(MUG=5)
    ann = visitor(app)

    def version() -> int:
        return ann.get("/api/v1/stock?sku=MUG").get_json()["stock"][0]["version"]

    seen = [version()]
    ann.add("MUG", 2)
    seen.append(version())
    ann.put("/api/v1/cart/items/MUG", json={"quantity": 1})
    seen.append(version())
    ann.delete("/api/v1/cart/items/MUG")
    seen.append(version())

    assert seen == sorted(set(seen))


@pytest.mark.parametrize("query, status", [
    ("", 422), ("sku=", 422), ("sku=NONE", 404), ("sku=MUG&sku=NONE", 404), ("sku=%00", 422), ("sku=%ff", 404),
    ("&".join(f"sku=X{number}" for number in range(201)), 422),
])  # fmt: skip
def test_what_cannot_be_told_is_a_problem(app: Flask, query: str, status: int) -> None:
    shelve(MUG=5)

    answer = visitor(app).get(f"/api/v1/stock?{query}")

    assert answer.status_code == status
    assert answer.mimetype == "application/problem+json"


def test_a_number_that_is_not_to_be_trusted_is_checking_and_none(app: Flask, room: Stockroom) -> None:
    shelve(MUG=5)
    room.on_closed = lambda room, sku: None

    room.unfenced.delete(keys.level("MUG"))
    (level,) = visitor(app).get("/api/v1/stock?sku=MUG").get_json()["stock"]

    assert (level["available"], level["state"]) == (None, "checking")


def test_it_never_shows_less_than_nothing(app: Flask, room: Stockroom) -> None:
    shelve(MUG=5)
    room.unfenced.hset(keys.level("MUG"), "available", -3)

    (level,) = visitor(app).get("/api/v1/stock?sku=MUG").get_json()["stock"]

    assert (level["available"], level["state"]) == (0, "sold_out")
