"""Passes: what belongs to a sale can be reserved by those who were let in, and by nobody else."""

from collections.abc import Callable
from functools import partial

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from storefront.cart import basket
from storefront.stock import adjustments, keys
from storefront.stock.models import StockLevel
from storefront.stock.outcomes import LimitReached, PassRequired
from storefront.stock.rebuild import rebuild
from storefront.stock.stockroom import Stockroom
from storefront.waiting_room import queue, sales, tick
from storefront.waiting_room.models import Sale
from storefront.waiting_room.outcomes import Joined, NotAllowedNow
from tests.cart.shelf import all_at_once, let_holds_run_out, shelve, visitor

Take = Callable[..., basket.Added]


@pytest.fixture
def let_in(room: Stockroom, join: Callable[..., Joined]) -> Callable[[str], None]:
    """Let somebody into `drop`."""

    def one(shopper: str) -> None:
        join(shopper)
        tick.tick_all(room)
        assert queue.arrive(room, "drop", shopper).state == "arrived"

    return one


def refusal_of(take: Callable[[], object]) -> dict[str, object]:
    with pytest.raises(PassRequired) as caught:
        take()
    return caught.value.facts


def test_without_a_pass_nothing_can_be_reserved(
    room: Stockroom, sale_of: Callable[..., Sale], take_unit: Take, join: Callable[..., Joined]
) -> None:
    sale_of(units=5, rate=0.001)
    sales.change_state(room, "drop", "pause", "ops")
    join("ada")

    assert refusal_of(lambda: take_unit("stranger"))["ticket"] == "none"
    assert refusal_of(lambda: take_unit("ada"))["sale"] == "drop"


def test_with_a_pass_a_unit_can_be_reserved_and_no_more_than_the_limit(
    sale_of: Callable[..., Sale], take_unit: Take, let_in: Callable[[str], None]
) -> None:
    sale_of(units=5)
    let_in("ada")

    assert take_unit("ada").quantity == 1
    with pytest.raises(LimitReached):
        take_unit("ada")


def test_asking_for_a_unit_is_showing_up(
    room: Stockroom, sale_of: Callable[..., Sale], take_unit: Take, join: Callable[..., Joined]
) -> None:
    sale_of(units=5)
    join("ada")
    tick.tick_all(room)

    take_unit("ada")

    assert queue.arrive(room, "drop", "ada").state == "arrived"


def test_a_pass_is_no_use_to_anybody_else(
    sale_of: Callable[..., Sale], take_unit: Take, let_in: Callable[[str], None]
) -> None:
    sale_of(units=5)
    let_in("ada")

    assert refusal_of(lambda: take_unit("bob"))["ticket"] == "none"


def test_a_pass_that_has_run_out_lets_nobody_in(
    room: Stockroom,
    sale_of: Callable[..., Sale],
    take_unit: Take,
    let_in: Callable[[str], None],
    time_passes: Callable[[str], None],
) -> None:
    sale_of(units=5)
    let_in("ada")

    time_passes("ada")
    before_the_tick = refusal_of(lambda: take_unit("ada"))
    tick.tick_all(room)

    assert before_the_tick["ticket"] == "expired"
    assert refusal_of(lambda: take_unit("ada"))["ticket"] == "expired"


def test_a_pass_is_good_for_one_order(
    room: Stockroom, sale_of: Callable[..., Sale], take_unit: Take, let_in: Callable[[str], None]
) -> None:
    sale_of(units=5, limit_units=3)
    let_in("ada")
    take_unit("ada")

    queue.spend(room, "drop", ["ada"])

    assert refusal_of(lambda: take_unit("ada"))["ticket"] == "spent"


def test_a_pass_for_one_sale_opens_no_other(
    room: Stockroom,
    sale_of: Callable[..., Sale],
    stocked: Callable[..., Stockroom],
    take_unit: Take,
    let_in: Callable[[str], None],
) -> None:
    sale_of(units=5)
    stocked(CAP=5)
    sales.create(room, sales.NewSale("other", ("CAP",), room.now_ms()), "ops")
    tick.tick_all(room)
    let_in("ada")

    assert refusal_of(lambda: take_unit("ada", "CAP")) == {"sku": "CAP", "sale": "other", "ticket": "none"}


def test_the_units_of_a_sale_stay_its_own_after_a_rebuild(
    room: Stockroom, sale_of: Callable[..., Sale], take_unit: Take
) -> None:
    sale_of(units=5)

    rebuild(room)

    assert refusal_of(lambda: take_unit("ada"))["sale"] == "drop"


def test_the_shop_itself_needs_no_pass(room: Stockroom, sale_of: Callable[..., Sale]) -> None:
    sale_of(units=5)

    adjustments.adjust(room, "MUG", -1, "broken")

    with Session(room.engine) as session:
        assert session.scalars(select(StockLevel.on_hand)).one() == 4


def test_a_sku_is_in_one_sale_at_a_time(room: Stockroom, sale_of: Callable[..., Sale]) -> None:
    sale_of(units=5)

    with pytest.raises(NotAllowedNow, match="'MUG' is in the sale 'drop'"):
        sales.create(room, sales.NewSale("other", ("MUG",), room.now_ms()), "ops")


def test_the_limit_holds_over_all_skus_of_a_sale_also_for_clicks_at_once(
    room: Stockroom,
    sale_of: Callable[..., Sale],
    stocked: Callable[..., Stockroom],
    take_unit: Take,
    let_in: Callable[[str], None],
) -> None:
    stocked(CAP=5)
    sale_of(units=5, skus=("MUG", "CAP"), limit_units=1)
    let_in("ada")

    def attempt(sku: str) -> int:
        try:
            return take_unit("ada", sku).quantity
        except Exception:
            return 0

    taken = all_at_once([partial(attempt, sku) for sku in ("MUG", "CAP") * 4])

    assert sum(taken) <= 1
    assert sum(taken) == 1 or take_unit("ada").quantity == 1
    with pytest.raises(LimitReached):
        take_unit("ada", "CAP")


def test_a_hold_that_ran_out_is_not_taken_again_without_a_pass(
    app: Flask, room: Stockroom, sale_of: Callable[..., Sale]
) -> None:
    """It goes to the next in line, not to the quickest clicker."""
    shelve(MUG=5)
    sale_of(units=5)
    shopper = visitor(app)
    shopper.post("/api/v1/sales/drop/tickets")
    tick.tick_all(room)
    assert shopper.add("MUG").status_code == 201
    who = str(next(iter(room.redis.hgetall(keys.held("MUG")))))
    let_holds_run_out(room)
    queue.spend(room, "drop", [who])

    again = shopper.order("10.00")

    assert again.status_code == 409
    assert again.json and again.json["code"] == "hold_expired"
