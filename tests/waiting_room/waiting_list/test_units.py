"""Units that came back: those on the list are told once, in order, and no more of them than may find something."""

from collections.abc import Callable
from functools import partial

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from storefront.cart import basket
from storefront.core.db import transaction
from storefront.stock import adjustments
from storefront.stock.stockroom import Stockroom
from storefront.waiting_room import keys, queue, sales, tick
from storefront.waiting_room.models import Sale, WaitingListEntry
from storefront.waiting_room.outcomes import Joined
from storefront.waiting_room.waiting_list import entries, units
from storefront.waiting_room.waiting_list.entries import HOUR_MS, MOST_MAILS_PER_HOUR, write
from tests.cart.shelf import all_at_once


@pytest.fixture
def sold_out(
    room: Stockroom, sale_of: Callable[..., Sale], join: Callable[..., Joined], take_unit: Callable[..., basket.Added]
) -> Sale:
    """A sale of one unit, which `first` has in his cart; nobody stands in line."""
    sale_of(units=1)
    join("first")
    tick.tick_all(room)
    take_unit("first")
    tick.tick_all(room)
    assert sales.find(room, "drop").state == "sold_out"
    return sales.find(room, "drop")


def told(room: Stockroom) -> list[str]:
    """Who was told, in the order of the list."""
    with Session(room.engine) as session:
        query = select(WaitingListEntry.email).where(WaitingListEntry.told_at_ms.is_not(None))
        return [email.partition("@")[0] for email in session.scalars(query.order_by(WaitingListEntry.id))]


def test_while_nothing_is_free_nobody_is_told(room: Stockroom, sold_out: Sale, enlist: Callable[..., None]) -> None:
    enlist("ada")

    assert units.tell(room) == 0


def test_when_a_unit_comes_back_three_are_told_in_their_order_and_only_once(
    room: Stockroom, sold_out: Sale, enlist: Callable[..., None], give_back: Callable[[str], None]
) -> None:
    enlist("ada", "bob", "cyd", "dan")
    give_back("first")
    queue.leave(room, "drop", "first")
    tick.tick_all(room)

    first, again = units.tell(room), units.tell(room)

    assert (first, again) == (3, 0)
    assert told(room) == ["ada", "bob", "cyd"]


def test_if_those_do_not_come_the_next_ones_are_told(
    room: Stockroom, sold_out: Sale, enlist: Callable[..., None], give_back: Callable[[str], None]
) -> None:
    enlist("ada", "bob", "cyd", "dan")
    give_back("first")
    queue.leave(room, "drop", "first")
    tick.tick_all(room)
    units.tell(room)
    with transaction(room.engine) as session:
        passed = WaitingListEntry.told_at_ms - units.TURN_MS
        session.execute(update(WaitingListEntry).values(told_at_ms=passed))

    units.tell(room)

    assert told(room) == ["ada", "bob", "cyd", "dan"]


def test_four_jobs_at_once_tell_each_one_once(
    room: Stockroom, sold_out: Sale, enlist: Callable[..., None], give_back: Callable[[str], None]
) -> None:
    enlist("ada", "bob", "cyd", "dan", "eve")
    give_back("first")
    queue.leave(room, "drop", "first")
    tick.tick_all(room)

    counts = all_at_once([partial(units.tell, room)] * 4)

    assert sum(counts) == 3
    assert told(room) == ["ada", "bob", "cyd"]


def test_whoever_has_not_confirmed_is_not_told(
    room: Stockroom, sold_out: Sale, enlist: Callable[..., None], give_back: Callable[[str], None]
) -> None:
    entries.ask(room, "drop", "ada@example.org")
    enlist("bob")
    give_back("first")
    queue.leave(room, "drop", "first")
    tick.tick_all(room)

    units.tell(room)

    assert told(room) == ["bob"]


def test_those_who_stand_in_line_come_first(
    room: Stockroom, sold_out: Sale, enlist: Callable[..., None], join: Callable[..., Joined],
    give_back: Callable[[str], None],
) -> None:  # fmt: skip
    enlist("ada")
    join("second")
    sales.set_pace(room, "drop", "ops", rate=0.001, active_most=1)
    room.redis.hset(keys.head("drop"), "tokens", 0)  # so that it takes a while until anybody is let in
    give_back("first")
    queue.leave(room, "drop", "first")
    tick.tick_all(room)

    in_line = units.tell(room)
    queue.leave(room, "drop", "second")

    assert (in_line, units.tell(room)) == (0, 1)


def test_those_who_are_in_come_first(
    room: Stockroom, sold_out: Sale, enlist: Callable[..., None], give_back: Callable[[str], None]
) -> None:
    enlist("ada")
    give_back("first")
    tick.tick_all(room)

    he_may_take_it_again = units.tell(room)
    queue.leave(room, "drop", "first")
    tick.tick_all(room)

    assert (he_may_take_it_again, units.tell(room)) == (0, 1)


def test_after_a_loss_those_who_were_in_line_may_come_back_first(
    room: Stockroom, sold_out: Sale, enlist: Callable[..., None], give_back: Callable[[str], None]
) -> None:
    enlist("ada")
    give_back("first")
    queue.leave(room, "drop", "first")
    room.redis.delete(keys.head("drop"))
    tick.tick_all(room)

    assert units.tell(room) == 0


@pytest.mark.parametrize("verb", ["pause", "drain"])
def test_a_sale_that_takes_nobody_in_tells_nobody(
    room: Stockroom, sold_out: Sale, enlist: Callable[..., None], give_back: Callable[[str], None], verb: str
) -> None:
    enlist("ada")
    give_back("first")
    sales.change_state(room, "drop", verb, "ops")
    tick.tick_all(room)

    assert units.tell(room) == 0


def test_a_closed_sale_tells_of_new_units_unless_they_are_in_another_sale(
    room: Stockroom, sold_out: Sale, enlist: Callable[..., None]
) -> None:
    enlist("ada")
    sales.change_state(room, "drop", "close", "ops")
    closed = units.tell(room)
    adjustments.receive(room, "MUG", 1, "delivery")
    sales.create(room, sales.NewSale("next-drop", ("MUG",), room.now_ms() + HOUR_MS), "ops")
    in_another = units.tell(room)

    sales.change_state(room, "next-drop", "close", "ops")

    assert (closed, in_another, units.tell(room)) == (0, 0, 1)


def test_who_had_as_many_mails_as_anybody_may_have_is_told_later(
    room: Stockroom, sold_out: Sale, enlist: Callable[..., None], give_back: Callable[[str], None]
) -> None:
    enlist("ada", "bob")
    with transaction(room.engine) as session:
        ada = session.scalars(select(WaitingListEntry).where(WaitingListEntry.email == "ada@example.org")).one()
        for _ in range(MOST_MAILS_PER_HOUR - 1):
            write(session, ada, "confirm", room.now_ms())
    give_back("first")
    queue.leave(room, "drop", "first")
    tick.tick_all(room)

    units.tell(room)

    assert told(room) == ["bob"]
