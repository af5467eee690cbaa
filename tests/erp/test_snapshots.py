"""What comes in: figures, orders and holds cross each other in every order, and nothing is sold twice."""

import os
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import Phase
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from storefront.erp import inbound
from storefront.erp.models import BufferRow
from storefront.orders import figures
from storefront.stock.stockroom import Stockroom
from tests.cart.shelf import shelve
from tests.erp.history.house import Stock, Watermark
from tests.erp.history.machine import SKUS, SnapshotHistory, begin, play

MORE = int(os.environ.get("MORE_HISTORIES", 1))  # so many times as many in `make chaos`
HISTORIES = {"sqlite": 15 * MORE, "postgresql": 4 * MORE}
TRIES = 5
KINDS: list[tuple[Stock, Watermark]] = [
    ("promisable", "applied_set"),
    ("promisable", "batch_sequence"),
    ("promisable", "timestamp"),
    ("physical", "applied_set"),
]


@pytest.fixture
def shop(room: Stockroom) -> Stockroom:
    shelve(dict.fromkeys(SKUS, 5))
    return room


@pytest.mark.parametrize(("stock", "watermark"), KINDS)
def test_whatever_crosses_whatever_nothing_is_oversold_and_no_unit_is_lost(
    shop: Stockroom, stock: Stock, watermark: Watermark
) -> None:
    met: Counter[str] = Counter()
    for _ in range(TRIES):  # a few histories may by chance be without an order: then some more
        met += play(shop, stock, watermark, HISTORIES[shop.engine.dialect.name])
        if met["ordered"]:
            break

    assert met["ordered"], met


def drop_on_acknowledgement(monkeypatch: pytest.MonkeyPatch) -> None:
    """An order leaves the sum as soon as the ERP has acknowledged it."""
    applied = select(BufferRow.order_id).where(BufferRow.version == 1, BufferRow.state == "applied")
    monkeypatch.setattr(inbound, "_contained", lambda *_: applied)


def overwrite(monkeypatch: pytest.MonkeyPatch) -> None:
    """The ERP's figure is taken as it comes."""
    monkeypatch.setattr(figures, "undeducted", lambda *_: {})


def take_the_late_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A snapshot that is older than the last is taken in too."""
    monkeypatch.setattr(inbound, "_last", lambda *_: None)


@pytest.mark.only_on("sqlite")
@pytest.mark.parametrize("slip", [drop_on_acknowledgement, overwrite, take_the_late_one])
def test_the_histories_find_a_wrong_rule(
    shop: Stockroom, monkeypatch: pytest.MonkeyPatch, slip: Callable[[Any], None]
) -> None:
    slip(monkeypatch)

    with pytest.raises((AssertionError, IntegrityError)):
        play(shop, "promisable", "applied_set", 300, phases=[Phase.generate])


def order_while_the_figures_are_on_their_way(shop: Stockroom, stock: Stock, watermark: Watermark) -> SnapshotHistory:
    """The ERP counts; then an order is placed, sent and acknowledged; then the figures arrive."""
    history = begin(shop, stock, watermark)
    history.count()
    history.buy("ann", "MUG", 3, is_sent=True)
    history.deliver("", at_once=True)  # where acknowledgements come later, they have come
    history.receive_letter(0, is_newest=True, keep=False)
    return history


@pytest.mark.parametrize(("stock", "watermark"), KINDS)
def test_an_order_leaves_the_sum_by_a_snapshot_that_contains_it(
    shop: Stockroom, stock: Stock, watermark: Watermark
) -> None:
    history = order_while_the_figures_are_on_their_way(shop, stock, watermark)

    assert history.offered() == {"MUG": 2, "CAP": 5}
    history.teardown()


@pytest.mark.parametrize(("stock", "watermark"), KINDS)
def test_it_would_be_sold_twice_if_it_left_the_sum_by_its_acknowledgement(
    shop: Stockroom, monkeypatch: pytest.MonkeyPatch, stock: Stock, watermark: Watermark
) -> None:
    drop_on_acknowledgement(monkeypatch)

    history = order_while_the_figures_are_on_their_way(shop, stock, watermark)

    assert history.offered() == {"MUG": 5, "CAP": 5}
