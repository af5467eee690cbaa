"""A queue that Redis lost, wholly or in its last moments: people get their places back."""

from collections.abc import Callable

import pytest

from storefront.cart import basket
from storefront.stock.outcomes import PassRequired, StockChecking
from storefront.stock.stockroom import Stockroom
from storefront.waiting_room import keys, queue, sales, tick
from storefront.waiting_room.models import Sale
from storefront.waiting_room.outcomes import Joined, Place, Ticket

PEOPLE = [f"shopper-{number:02}" for number in range(12)]


@pytest.fixture
def lose(room: Stockroom) -> Callable[[], None]:
    """Let Redis forget the sale."""

    def forget() -> None:
        for key in room.redis.keys("sale:*"):
            room.redis.delete(key)

    return forget


@pytest.fixture
def no_wait(room: Stockroom) -> Callable[[], None]:
    """Let the time be over in which those who were ahead may come back."""

    def end() -> None:
        room.redis.hset(keys.head("drop"), "hold_until_ms", 0)

    return end


def test_until_it_is_built_anew_nothing_is_said_of_it(
    sale_of: Callable[..., Sale],
    join: Callable[..., Joined],
    place: Callable[..., Place],
    lose: Callable[[], None],
) -> None:
    sale_of(units=0)
    ticket = join("ada").ticket

    lose()

    with pytest.raises(StockChecking):
        place("ada", ticket)
    with pytest.raises(StockChecking):
        join("bob")


def test_the_order_is_kept_for_all_who_come_back_whenever_they_do(
    room: Stockroom,
    sale_of: Callable[..., Sale],
    join: Callable[..., Joined],
    place: Callable[..., Place],
    lose: Callable[[], None],
) -> None:
    sale_of(units=0)
    tickets = {shopper: join(shopper).ticket for shopper in PEOPLE}
    lose()
    tick.tick_all(room)
    stranger = join("stranger")

    for shopper in [*PEOPLE[6:], *PEOPLE[:5]]:  # the sixth never comes back; some by looking, some by joining again
        if shopper < "shopper-08":
            place(shopper, tickets[shopper])
        else:
            join(shopper, ticket=tickets[shopper])

    assert stranger.position == 1
    assert [place(shopper).position for shopper in [*PEOPLE[:5], *PEOPLE[6:], "stranger"]] == list(range(1, 13))


def test_nobody_is_let_in_until_those_ahead_had_time_to_come_back(
    room: Stockroom,
    sale_of: Callable[..., Sale],
    join: Callable[..., Joined],
    place: Callable[..., Place],
    lose: Callable[[], None],
    no_wait: Callable[[], None],
) -> None:
    sale_of(units=5, active_most=1)
    tickets = {shopper: join(shopper).ticket for shopper in PEOPLE}
    lose()
    tick.tick_all(room)
    place(PEOPLE[4], tickets[PEOPLE[4]])

    early = tick.tick_all(room)
    place(PEOPLE[1], tickets[PEOPLE[1]])
    no_wait()
    late = tick.tick_all(room)

    assert (early, late) == ({"drop": 0}, {"drop": 1})
    assert place(PEOPLE[1]).state == "granted"


def test_no_ordinal_is_given_twice(
    room: Stockroom, sale_of: Callable[..., Sale], join: Callable[..., Joined], lose: Callable[[], None]
) -> None:
    sale_of(units=0)
    before = {join(shopper).ticket for shopper in PEOPLE}
    lose()
    tick.tick_all(room)

    after = {join(f"new-{shopper}").ticket for shopper in PEOPLE}

    assert not {(one.epoch, one.ordinal) for one in before} & {(one.epoch, one.ordinal) for one in after}


def test_who_was_in_stays_in_and_who_is_done_stays_done(
    room: Stockroom,
    sale_of: Callable[..., Sale],
    join: Callable[..., Joined],
    place: Callable[..., Place],
    lose: Callable[[], None],
    time_passes: Callable[[str], None],
    take_unit: Callable[..., basket.Added],
) -> None:
    sale_of(units=2)
    tickets = {shopper: join(shopper).ticket for shopper in PEOPLE[:3]}
    tick.tick_all(room)
    queue.arrive(room, "drop", PEOPLE[0])
    time_passes(PEOPLE[1])
    queue.end_overdue(room, "drop")
    tick.copy_news(room, sales.find(room, "drop"))

    lose()
    tick.tick_all(room)

    assert [place(one, tickets[one]).state for one in PEOPLE[:3]] == ["arrived", "no_show", "waiting"]
    assert take_unit(PEOPLE[0]).quantity == 1
    with pytest.raises(PassRequired):
        take_unit(PEOPLE[1])


def test_an_admission_that_only_sql_remembers_is_not_given_to_another(
    room: Stockroom, sale_of: Callable[..., Sale], join: Callable[..., Joined], place: Callable[..., Place]
) -> None:
    """Redis comes back as it was a moment before the admission."""
    sale_of(units=1)
    for shopper in PEOPLE[:2]:
        join(shopper)
    tick.tick_all(room)
    for key in (keys.admitted("drop"), keys.active("drop")):
        room.redis.delete(key)
    room.redis.zadd(keys.line("drop"), {PEOPLE[0]: 2**52 + 2**40 + 1})
    room.redis.hset(keys.head("drop"), "run_id", "another")

    tick.tick_all(room)

    assert [place(shopper).state for shopper in PEOPLE[:2]] == ["granted", "waiting"]
    assert place(PEOPLE[1]).position == 1


def test_who_joined_in_the_moment_that_was_lost_comes_back_before_those_after_him(
    room: Stockroom, sale_of: Callable[..., Sale], join: Callable[..., Joined], place: Callable[..., Place]
) -> None:
    sale_of(units=0)
    tickets = {shopper: join(shopper).ticket for shopper in PEOPLE[:3]}
    room.redis.zrem(keys.line("drop"), PEOPLE[1], PEOPLE[2])
    room.redis.hset(keys.head("drop"), mapping={"run_id": "another", "ordinal": 1})
    tick.tick_all(room)
    join("stranger")

    back = [place(shopper, tickets[shopper]).position for shopper in PEOPLE[:3]]

    assert back == [1, 2, 3]
    assert place("stranger").position == 4


def test_a_ticket_of_this_very_queue_gives_no_place_to_who_left_it(
    room: Stockroom, sale_of: Callable[..., Sale], join: Callable[..., Joined], place: Callable[..., Place]
) -> None:
    sale_of(units=0)
    ticket = join("ada").ticket
    join("bob")

    queue.leave(room, "drop", "ada")

    assert place("ada", ticket).state == "none"
    assert join("ada", ticket=ticket).position == 2


def test_a_ticket_that_was_never_given_is_not_honoured(
    sale_of: Callable[..., Sale], join: Callable[..., Joined], place: Callable[..., Place]
) -> None:
    sale_of(units=0)
    join("ada")

    assert place("bob", Ticket("bob", 1, 7, False)).state == "none"
