"""A pass is for one order: it ends with it, for good."""

from collections.abc import Callable

import pytest
from flask import Flask

from storefront.stock.stockroom import Stockroom
from storefront.waiting_room import keys, sales, tick
from storefront.waiting_room.sales import NewSale
from tests.cart.shelf import Visitor, shelve, visitor


@pytest.fixture
def buyer(app: Flask, room: Stockroom) -> Callable[[], Visitor]:
    """Somebody who was let in to `drop` (MUG, two per shopper) and has one in his cart."""
    shelve(MUG=5, CAP=5)
    sales.create(room, NewSale("drop", ("MUG",), room.now_ms(), limit_units=2), "ops")
    tick.tick_all(room)

    def come() -> Visitor:
        somebody = visitor(app)
        somebody.post("/api/v1/sales/drop/tickets")
        tick.tick_all(room)
        assert somebody.add("MUG").status_code == 201
        return somebody

    return come


def test_after_the_order_the_pass_is_no_use_any_more(buyer: Callable[[], Visitor]) -> None:
    ada = buyer()

    ordered = ada.order("10.00")
    again = ada.add("MUG")

    assert ordered.status_code == 201
    assert (again.status_code, again.get_json()["code"]) == (403, "pass_required")
    assert again.get_json()["ticket"] == "spent"
    assert "for one order" in again.get_json()["detail"]


def test_a_cancelled_order_does_not_bring_the_pass_back(buyer: Callable[[], Visitor]) -> None:
    ada = buyer()
    token = ada.order("10.00").get_json()["token"]

    cancelled = ada.post(f"/api/v1/orders/{token}/cancel")

    assert cancelled.get_json()["status"] == "cancelled"
    assert ada.add("MUG").get_json()["ticket"] == "spent"


def test_an_order_of_something_else_leaves_the_pass(buyer: Callable[[], Visitor]) -> None:
    ada = buyer()
    ada.delete("/api/v1/cart/items/MUG")
    ada.add("CAP")

    ada.order("10.00")

    assert ada.add("MUG").status_code == 201


def test_an_order_that_is_refused_leaves_the_pass(buyer: Callable[[], Visitor]) -> None:
    ada = buyer()

    refused = ada.order("9.99")

    assert refused.status_code == 409
    assert ada.add("MUG").status_code == 201


def test_the_order_stands_where_the_queue_cannot_be_told(room: Stockroom, buyer: Callable[[], Visitor]) -> None:
    ada = buyer()
    room.redis.delete(keys.head("drop"))
    room.redis.set(keys.head("drop"), "no hash: every script that reads it fails")

    ordered = ada.order("10.00")

    assert ordered.status_code == 201
