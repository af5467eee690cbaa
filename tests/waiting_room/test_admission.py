"""Admission: who is let in, when, and how many."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from storefront.cart import basket
from storefront.stock.stockroom import Stockroom
from storefront.waiting_room import keys, queue, sales, tick
from storefront.waiting_room.models import Admission, Sale
from storefront.waiting_room.outcomes import Joined, NoPass, NotAllowedNow, PassExtensionLimit, Place

People = Callable[..., Place]


@pytest.fixture
def states(place: People) -> Callable[..., list[str]]:
    """The states of some shoppers."""
    return lambda *shoppers: [place(shopper).state for shopper in shoppers]


def test_people_are_let_in_in_their_order_and_only_as_many_as_there_are_units(
    room: Stockroom, sale_of: Callable[..., Sale], join: Callable[..., Joined], states: Callable[..., list[str]]
) -> None:
    sale_of(units=2)
    for shopper in ("ada", "bob", "cyd"):
        join(shopper)

    admitted = tick.tick_all(room)

    assert admitted == {"drop": 2}
    assert states("ada", "bob", "cyd") == ["granted", "granted", "waiting"]
    assert tick.tick_all(room) == {"drop": 0}


def test_where_each_may_take_two_half_as_many_are_let_in(
    room: Stockroom, sale_of: Callable[..., Sale], join: Callable[..., Joined]
) -> None:
    sale_of(units=3, limit_units=2)
    for shopper in ("ada", "bob", "cyd"):
        join(shopper)

    assert tick.tick_all(room) == {"drop": 2}


def test_the_rate_bounds_how_many_are_let_in(
    room: Stockroom, sale_of: Callable[..., Sale], join: Callable[..., Joined]
) -> None:
    sale_of(units=100, rate=2.0)
    for number in range(10):
        join(f"shopper-{number}")

    began = time.monotonic()
    tick.tick_all(room)
    tick.tick_all(room)
    seconds = time.monotonic() - began

    assert queue.look(room, "drop")[0].admitted <= 2 + 2 * seconds  # two for the first second, and what the ticks took


def test_never_more_are_in_than_the_cap(
    room: Stockroom, sale_of: Callable[..., Sale], join: Callable[..., Joined]
) -> None:
    sale_of(units=100, active_most=3)
    for number in range(10):
        join(f"shopper-{number}")

    tick.tick_all(room)
    tick.tick_all(room)

    assert queue.look(room, "drop")[0].active == 3


def test_more_than_a_hundred_are_let_in_by_one_tick(
    room: Stockroom, sale_of: Callable[..., Sale], join: Callable[..., Joined]
) -> None:
    sale_of(units=1000, active_most=1000)
    for number in range(230):
        join(f"shopper-{number}")

    assert tick.tick_all(room) == {"drop": 230}


def test_the_last_unit_ends_the_wait_and_one_that_comes_back_goes_to_the_next(
    room: Stockroom,
    sale_of: Callable[..., Sale],
    join: Callable[..., Joined],
    states: Callable[..., list[str]],
    take_unit: Callable[..., basket.Added],
    give_back: Callable[[str], None],
) -> None:
    sale_of(units=1)
    for shopper in ("ada", "bob", "cyd"):
        join(shopper)
    tick.tick_all(room)
    take_unit("ada")

    tick.tick_all(room)
    sold_out = sales.find(room, "drop").state
    give_back("ada")
    queue.leave(room, "drop", "ada")
    tick.tick_all(room)

    assert sold_out == "sold_out"
    assert sales.find(room, "drop").state == "open"
    assert states("bob", "cyd") == ["granted", "waiting"]


def test_who_does_not_show_up_makes_room_for_the_next(
    room: Stockroom,
    sale_of: Callable[..., Sale],
    join: Callable[..., Joined],
    states: Callable[..., list[str]],
    time_passes: Callable[[str], None],
) -> None:
    sale_of(units=1)
    join("ada")
    join("bob")
    tick.tick_all(room)

    time_passes("ada")
    late = queue.arrive(room, "drop", "ada").state
    tick.tick_all(room)

    assert late == "no_show"
    assert states("ada", "bob") == ["no_show", "granted"]
    assert join("ada").state == "joined"


def test_who_shows_up_keeps_the_slot_to_the_end_of_the_pass(
    room: Stockroom, sale_of: Callable[..., Sale], join: Callable[..., Joined]
) -> None:
    sale_of(units=1, grace_seconds=10, pass_seconds=300)
    join("ada")
    tick.tick_all(room)

    due = room.redis.zscore(keys.active("drop"), "ada")
    place = queue.arrive(room, "drop", "ada")

    assert place.state == "arrived"
    assert place.expires_at_ms == room.redis.zscore(keys.active("drop"), "ada") == (due or 0) + 290_000


def test_a_pass_can_be_extended_twice_and_only_while_it_is_good(
    room: Stockroom, sale_of: Callable[..., Sale], join: Callable[..., Joined], time_passes: Callable[[str], None]
) -> None:
    sale_of(units=5)
    join("ada")
    join("bob")
    with pytest.raises(NoPass):
        queue.extend_pass(room, "drop", "ada")
    tick.tick_all(room)
    first = queue.arrive(room, "drop", "ada").expires_at_ms or 0

    second = queue.extend_pass(room, "drop", "ada")
    queue.extend_pass(room, "drop", "ada")

    assert second >= first
    with pytest.raises(PassExtensionLimit):
        queue.extend_pass(room, "drop", "ada")


def test_nobody_is_let_in_while_it_is_paused_and_nobody_joins_while_it_drains(
    room: Stockroom, sale_of: Callable[..., Sale], join: Callable[..., Joined]
) -> None:
    sale_of(units=5)
    sales.change_state(room, "drop", "pause", "ops")
    join("ada")

    paused = tick.tick_all(room)
    sales.change_state(room, "drop", "drain", "ops")
    drained = tick.tick_all(room)

    assert (paused, drained) == ({"drop": 0}, {"drop": 1})


def test_nobody_is_let_in_while_the_stock_is_being_checked(
    room: Stockroom, sale_of: Callable[..., Sale], join: Callable[..., Joined]
) -> None:
    sale_of(units=5)
    join("ada")
    room.unfenced.hdel("stock:{MUG}:level", "epoch")

    checking = tick.tick_all(room)

    assert checking == {"drop": 0}
    assert queue.look(room, "drop")[0].available is None
    assert sales.find(room, "drop").state == "open"


def test_ticks_that_race_let_in_no_more_than_one_would(
    room: Stockroom, sale_of: Callable[..., Sale], join: Callable[..., Joined]
) -> None:
    sale = sale_of(units=5)
    for number in range(40):
        join(f"shopper-{number}")

    with ThreadPoolExecutor(6) as threads:
        admitted = list(threads.map(lambda _: tick.tick(room, sale), range(12)))

    assert sum(admitted) == 5
    assert queue.look(room, "drop")[0].active == 5


def test_what_became_of_admissions_is_copied_to_sql_once(
    room: Stockroom,
    sale_of: Callable[..., Sale],
    join: Callable[..., Joined],
    time_passes: Callable[[str], None],
) -> None:
    sale = sale_of(units=2)
    for shopper in ("ada", "bob", "cyd"):
        join(shopper)
    tick.tick_all(room)
    queue.arrive(room, "drop", "ada")
    notes: Any = room.redis.xrange(keys.news("drop"))
    tick.copy_news(room, sale)
    for _, note in notes:  # a job that was killed before it forgot them copies them again
        room.redis.xadd(keys.news("drop"), note)
    time_passes("bob")

    tick.tick_all(room)

    with Session(room.engine) as session:
        rows = session.scalars(select(Admission).order_by(Admission.number)).all()
    assert [(row.shopper, row.state, row.number) for row in rows] == [
        ("ada", "arrived", 1),
        ("bob", "no_show", 2),
        ("cyd", "granted", 3),
    ]
    assert [row.score for row in rows] == sorted(row.score for row in rows)
    assert room.redis.xlen(keys.news("drop")) == 0


def test_an_operator_may_do_only_what_the_state_allows(room: Stockroom, sale_of: Callable[..., Sale]) -> None:
    sale_of()

    with pytest.raises(NotAllowedNow, match="resume is possible while it is paused, draining"):
        sales.change_state(room, "drop", "resume", "ops")

    assert [change.who for change in sales.changes(room, sales.find(room, "drop"))] == ["clock", "ops"]


def test_a_closed_sale_leaves_its_units_to_everybody(
    room: Stockroom, sale_of: Callable[..., Sale], take_unit: Callable[..., basket.Added]
) -> None:
    sale_of(units=3)

    sales.change_state(room, "drop", "close", "ops")

    assert take_unit("ada").quantity == 1
