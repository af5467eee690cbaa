"""The lobby: who comes before the opening may be given a place by lot, which everybody can check."""

from collections.abc import Callable
from hashlib import sha1

import pytest

from storefront.stock.stockroom import Stockroom
from storefront.waiting_room import queue, sales, tick
from storefront.waiting_room.models import Sale
from storefront.waiting_room.outcomes import Joined, Place, Ticket

PEOPLE = [f"shopper-{number}" for number in range(20)]


def test_places_are_drawn_by_the_seed_and_later_arrivals_come_behind(
    room: Stockroom, sale_of: Callable[..., Sale], join: Callable[..., Joined], place: Callable[..., Place]
) -> None:
    sale = sale_of(units=0, opened=False, lobby_seconds=7200, shuffle=True)
    joined = [join(shopper) for shopper in PEOPLE]
    before = [place(shopper).position for shopper in PEOPLE]

    sales.change_state(room, "drop", "open", "ops")
    latecomer = join("late")

    drawn = sorted(PEOPLE, key=lambda shopper: sha1(f"{sale.seed}:{shopper}".encode()).hexdigest()[:13])
    assert sale.state == "lobby"
    assert {one.position for one in joined} == set(before) == {None}
    assert [place(shopper).position for shopper in drawn] == list(range(1, 21))
    assert drawn != PEOPLE
    assert latecomer.position == 21


def test_a_lobby_without_a_draw_keeps_the_order_of_arrival(
    sale_of: Callable[..., Sale], join: Callable[..., Joined]
) -> None:
    sale_of(units=0, opened=False, lobby_seconds=7200)

    assert [join(shopper).position for shopper in PEOPLE[:3]] == [1, 2, 3]


def test_nobody_is_let_in_before_it_opens(
    room: Stockroom, sale_of: Callable[..., Sale], join: Callable[..., Joined]
) -> None:
    sale_of(units=5, opened=False, lobby_seconds=7200, shuffle=True)
    join("ada")

    assert tick.tick_all(room) == {"drop": 0}


def test_the_lobby_and_the_sale_open_on_time(room: Stockroom, sale_of: Callable[..., Sale]) -> None:
    opens_at_ms = room.now_ms() + 3_000
    seen = {sale_of(opens_at_ms=opens_at_ms, lobby_seconds=1).state: room.now_ms()}

    while "open" not in seen and room.now_ms() < opens_at_ms + 10_000:
        tick.tick_all(room)
        seen.setdefault(sales.find(room, "drop").state, room.now_ms())

    assert list(seen) == ["announced", "lobby", "open"]
    assert seen["lobby"] >= opens_at_ms - 1_000
    assert seen["open"] >= opens_at_ms


def test_a_drawn_place_is_the_same_after_the_queue_was_lost(
    room: Stockroom, sale_of: Callable[..., Sale], join: Callable[..., Joined]
) -> None:
    sale_of(units=0, opened=False, lobby_seconds=7200, shuffle=True)
    tickets = {shopper: join(shopper).ticket for shopper in PEOPLE}
    sales.change_state(room, "drop", "open", "ops")
    before = positions(room, list(tickets.values()))

    for key in room.redis.keys("sale:*"):
        room.redis.delete(key)
    tick.tick_all(room)
    positions(room, list(tickets.values()))

    assert positions(room, list(tickets.values())) == before


@pytest.mark.parametrize("how", ["joined again", "looked at the place"])
def test_a_drawn_ticket_that_was_handed_out_once_more_still_proves_its_place(
    how: str, room: Stockroom, sale_of: Callable[..., Sale], join: Callable[..., Joined]
) -> None:
    sale_of(units=0, opened=False, lobby_seconds=7200, shuffle=True)
    first = {shopper: join(shopper).ticket for shopper in PEOPLE}
    sales.change_state(room, "drop", "open", "ops")
    before = positions(room, list(first.values()))
    seen = queue.look(room, "drop", list(first.values()))[1]
    looked_at = [place.ticket for place in seen if place.ticket]
    again = [join(shopper).ticket for shopper in PEOPLE] if how == "joined again" else looked_at

    for key in room.redis.keys("sale:*"):
        room.redis.delete(key)
    tick.tick_all(room)
    positions(room, again)

    assert positions(room, again) == before


def positions(room: Stockroom, tickets: list[Ticket]) -> list[int | None]:
    return [place.position for place in queue.look(room, "drop", tickets)[1]]
