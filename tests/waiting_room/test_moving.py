"""Moving: the same person goes on waiting on another device."""

from collections.abc import Callable

import pytest

from storefront.stock.stockroom import Stockroom
from storefront.waiting_room import queue, tick
from storefront.waiting_room.models import Sale
from storefront.waiting_room.outcomes import Joined, NothingToMove, Place


def test_a_place_moves_to_the_other_device_once(
    room: Stockroom, sale_of: Callable[..., Sale], join: Callable[..., Joined], place: Callable[..., Place]
) -> None:
    sale_of(units=0)
    for shopper in ("ada", "bob", "phone"):
        join(shopper)

    queue.move(room, "drop", "ada", "phone")

    assert (place("ada").state, place("phone").position, place("bob").position) == ("none", 1, 2)
    with pytest.raises(NothingToMove):
        queue.move(room, "drop", "ada", "bob")


def test_an_admission_moves_with_its_time(
    room: Stockroom, sale_of: Callable[..., Sale], join: Callable[..., Joined], place: Callable[..., Place]
) -> None:
    sale_of(units=1)
    join("ada")
    tick.tick_all(room)
    before = queue.arrive(room, "drop", "ada")

    queue.move(room, "drop", "ada", "phone")

    assert place("phone") == before
    assert place("ada").state == "none"
    assert queue.look(room, "drop")[0].active == 1
