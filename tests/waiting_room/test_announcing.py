"""Announcing and closing a sale: with its SKUs or not at all, whoever dies and whoever else does it, too."""

from collections.abc import Callable
from functools import partial

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from storefront.core.errors import InvalidInput, Refusal
from storefront.stock import reservations
from storefront.stock.models import StockLevel
from storefront.stock.outcomes import PassRequired, StockChecking
from storefront.stock.rebuild import is_open, rebuild_if_closed
from storefront.stock.stockroom import Stockroom
from storefront.waiting_room import keys, sales, tick
from storefront.waiting_room.outcomes import NotAllowedNow
from storefront.waiting_room.sales import NewSale
from tests.cart.shelf import all_at_once


class Killed(BaseException):
    """The process is gone."""


@pytest.fixture
def dies_before_the_rebuild(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Do something in a process that dies as soon as SQL knows of it."""

    def die(_room: Stockroom) -> None:
        raise Killed

    def run(step: Callable[[], object]) -> None:
        with monkeypatch.context() as patch, pytest.raises(Killed):
            patch.setattr(sales, "rebuild", die)
            step()

    return run


def restricted(room: Stockroom) -> dict[str, tuple[str | None, int | None]]:
    """Sale and limit of each SKU."""
    with Session(room.engine) as session:
        return {row.sku: (row.sale, row.limit_per_shopper) for row in session.scalars(select(StockLevel))}


def reserve(room: Stockroom) -> None:
    reservations.reserve(room, shopper="ada", sku="MUG", units=1, reservation_id="one")


def test_who_dies_while_announcing_leaves_no_sku_that_can_be_had_without_a_pass(
    room: Stockroom, stocked: Callable[..., Stockroom], dies_before_the_rebuild: Callable[..., None]
) -> None:
    stocked(MUG=5)
    new = NewSale("drop", ("MUG",), room.now_ms())

    dies_before_the_rebuild(lambda: sales.create(room, new, "ops"))

    assert restricted(room) == {"MUG": ("drop", 1)}
    with pytest.raises(StockChecking):
        reserve(room)
    rebuild_if_closed(room)
    with pytest.raises(PassRequired):
        reserve(room)


def test_who_dies_while_closing_leaves_no_sku_in_the_closed_sale(
    room: Stockroom, stocked: Callable[..., Stockroom], dies_before_the_rebuild: Callable[..., None]
) -> None:
    stocked(MUG=5)
    sales.create(room, NewSale("drop", ("MUG",), room.now_ms()), "ops")

    dies_before_the_rebuild(lambda: sales.change_state(room, "drop", "close", "ops"))

    assert restricted(room) == {"MUG": (None, None)}
    assert not is_open(room)
    rebuild_if_closed(room)
    reserve(room)


def test_what_is_refused_leaves_everything_as_it_was(room: Stockroom, stocked: Callable[..., Stockroom]) -> None:
    stocked(MUG=5, CAP=5)
    sales.create(room, NewSale("drop", ("MUG",), room.now_ms()), "ops")

    with pytest.raises(NotAllowedNow):
        sales.create(room, NewSale("other", ("CAP", "MUG"), room.now_ms()), "ops")

    assert restricted(room) == {"MUG": ("drop", 1), "CAP": (None, None)}
    assert is_open(room)


def outcome_of(step: Callable[[], object]) -> str:
    try:
        step()
    except Refusal as refusal:
        return type(refusal).__name__
    return "created"


def test_of_several_who_announce_a_sale_of_the_same_sku_one_does(
    app: Flask, room: Stockroom, stocked: Callable[..., Stockroom]
) -> None:
    stocked(**{f"MUG-{number}": 5 for number in range(5)})

    for number in range(5):  # at first there are not enough connections for all to be there at once
        news = [NewSale(f"drop-{number}-{one}", (f"MUG-{number}",), room.now_ms()) for one in range(4)]
        outcomes = all_at_once([partial(outcome_of, partial(sales.create, room, new, "ops")) for new in news])
        assert sorted(outcomes) == ["NotAllowedNow"] * 3 + ["created"]

    of_sales = {sku: sale.slug for sale in sales.all_sales(room) for sku in sale.skus}
    assert {sku: sale for sku, (sale, _) in restricted(room).items()} == of_sales


def test_of_several_who_announce_the_same_slug_one_does(
    app: Flask, room: Stockroom, stocked: Callable[..., Stockroom]
) -> None:
    stocked(**{f"MUG-{number}": 5 for number in range(20)})

    for number in range(5):
        news = [NewSale(f"drop-{number}", (f"MUG-{number * 4 + one}",), room.now_ms()) for one in range(4)]
        outcomes = all_at_once([partial(outcome_of, partial(sales.create, room, new, "ops")) for new in news])
        assert sorted(outcomes) == [InvalidInput.__name__] * 3 + ["created"]


def test_a_process_that_has_only_begun_tells_those_who_wait_that_it_closed_the_sale(
    room: Stockroom, stocked: Callable[..., Stockroom]
) -> None:
    stocked(MUG=5)
    sales.create(room, NewSale("drop", ("MUG",), room.now_ms()), "ops")
    tick.tick_all(room)
    room.fence.epoch, room.fence.run_id = 0, ""
    room.redis.connection_pool.disconnect()

    sales.change_state(room, "drop", "close", "ops")

    assert room.redis.hget(keys.head("drop"), "state") == "closed"


def test_who_dies_while_closing_leaves_it_to_the_tick_to_tell_those_who_wait(
    room: Stockroom, stocked: Callable[..., Stockroom], dies_before_the_rebuild: Callable[..., None]
) -> None:
    stocked(MUG=5)
    sales.create(room, NewSale("drop", ("MUG",), room.now_ms()), "ops")
    tick.tick_all(room)
    dies_before_the_rebuild(lambda: sales.change_state(room, "drop", "close", "ops"))
    rebuild_if_closed(room)

    tick.tick_all(room)

    assert room.redis.hget(keys.head("drop"), "state") == "closed"
