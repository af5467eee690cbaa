"""A shop with orders for an ERP that keeps true books in memory."""

from collections.abc import Callable

import pytest
from flask import Flask

from storefront.erp.exchange import Exchange
from storefront.stock.stockroom import Stockroom
from tests.cart.shelf import shelve, visitor
from tests.erp.history.house import TrueHouse


@pytest.fixture
def erp(room: Stockroom) -> TrueHouse:
    """An ERP that books at once and can be asked."""
    return TrueHouse("promisable", "applied_set", room.now_ms, shelf={"MUG": 100})


@pytest.fixture
def exchange(room: Stockroom, erp: TrueHouse) -> Exchange:
    return Exchange(room, erp, batch_seconds=0)


@pytest.fixture
def order(app: Flask) -> Callable[..., list[int]]:
    """Place so many orders of a mug; give their ids."""
    shelve(MUG=100)

    def place(number: int = 1) -> list[int]:
        ids = []
        for _ in range(number):
            somebody = visitor(app)
            somebody.add("MUG")
            ids.append(somebody.order("10.00").get_json()["id"])
        return ids

    return place
