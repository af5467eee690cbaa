"""The limit per shopper: what he holds and what he bought count, what he gave back does not."""

from collections.abc import Callable

import pytest

from storefront.stock import adjustments, ledger, reservations
from storefront.stock.outcomes import LimitReached
from storefront.stock.stockroom import Stockroom
from storefront.stock.verify import verify
from tests.stock.steps import bought, cancel_only, hold, sell

Stocked = Callable[..., Stockroom]


def test_the_limit_counts_what_is_held_and_what_was_bought(stocked: Stocked) -> None:
    room = stocked(MUG=9)
    adjustments.set_limit(room, "MUG", 3)
    hold(room, units=2)
    sell(room, "r1")

    with pytest.raises(LimitReached) as refusal:
        hold(room, units=2, id="r2")

    assert refusal.value.facts["limit"] == 3
    assert hold(room, units=1, id="r3").units_of_shopper == 1
    assert hold(room, units=3, shopper="bob", id="r4")


def test_a_cancelled_order_gives_the_limit_back_once(stocked: Stocked) -> None:
    room = stocked(MUG=9)
    adjustments.set_limit(room, "MUG", 2)
    hold(room, units=2)
    sell(room, "r1")
    cancel_only(room, units=2)

    ledger.catch_up(room, ["MUG"])
    ledger.catch_up(room, ["MUG"])

    assert bought(room) == 0
    assert hold(room, units=2, id="r2")
    with pytest.raises(LimitReached):
        hold(room, id="r3")
    assert verify(room, 0) == []


def test_a_released_hold_gives_the_limit_back(stocked: Stocked) -> None:
    room = stocked(MUG=9)
    adjustments.set_limit(room, "MUG", 2)
    hold(room, units=2)

    reservations.release(room, "r1", "MUG")

    assert hold(room, units=2, id="r2")
