"""Joining: a place in the order of arrival, kept."""

from collections.abc import Callable

import pytest

from storefront.stock.stockroom import Stockroom
from storefront.waiting_room import queue, sales
from storefront.waiting_room.models import Sale
from storefront.waiting_room.outcomes import AddressTaken, Joined, NotOpenYet, Place, SaleClosed


def test_places_follow_arrival(sale_of: Callable[..., Sale], join: Callable[..., Joined]) -> None:
    sale_of(units=0)

    joined = [join(shopper) for shopper in ("ada", "bob", "cyd")]

    assert [one.position for one in joined] == [1, 2, 3]
    assert [one.ticket.ordinal for one in joined] == [1, 2, 3]


def test_joining_again_keeps_the_place_and_the_ticket(
    sale_of: Callable[..., Sale], join: Callable[..., Joined]
) -> None:
    sale_of(units=0)
    first = join("ada")
    join("bob")

    again = join("ada")

    assert (first.state, again.state) == ("joined", "kept")
    assert again.ticket == first.ticket
    assert again.position == 1


def test_who_leaves_makes_room_and_comes_back_at_the_end(
    room: Stockroom, sale_of: Callable[..., Sale], join: Callable[..., Joined], place: Callable[..., Place]
) -> None:
    sale_of(units=0)
    for shopper in ("ada", "bob", "cyd"):
        join(shopper)

    assert queue.leave(room, "drop", "ada")
    assert not queue.leave(room, "drop", "ada")

    assert [place(shopper).position for shopper in ("bob", "cyd")] == [1, 2]
    assert place("ada").state == "none"
    assert join("ada").position == 3


def test_a_sale_cannot_be_joined_before_its_lobby_or_after_its_end(
    room: Stockroom, sale_of: Callable[..., Sale], join: Callable[..., Joined]
) -> None:
    sale_of(opened=False)

    with pytest.raises(NotOpenYet):
        join("ada")
    sales.change_state(room, "drop", "open", "ops")
    sales.change_state(room, "drop", "drain", "ops")
    with pytest.raises(SaleClosed):
        join("ada")


def test_one_address_has_one_place(sale_of: Callable[..., Sale], join: Callable[..., Joined]) -> None:
    sale_of(units=0, one_per_email=True)
    join("ada", email="ada@example.org")

    with pytest.raises(AddressTaken):
        join("bob", email="ADA@example.org")

    assert join("ada", email="ada@example.org").state == "kept"
