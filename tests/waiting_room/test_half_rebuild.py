"""A rebuild of the stock that has begun and not ended: the queue waits for it, and nobody loses his place."""

from collections.abc import Callable

from storefront.stock.rebuild import rebuild
from storefront.stock.stockroom import Stockroom
from storefront.waiting_room import sales, tick
from storefront.waiting_room.models import Sale
from storefront.waiting_room.outcomes import Joined, Place
from tests.stock.steps import rebuild_and_die


def test_the_queue_is_not_taken_for_lost(
    room: Stockroom, sale_of: Callable[..., Sale], join: Callable[..., Joined], place: Callable[..., Place]
) -> None:
    sale = sale_of(units=0)
    join("ada")
    rebuild_and_die(room)

    tick.tick_all(room)

    rebuild(room)
    assert place("ada").position == 1
    assert sales.find(room, "drop").epoch == sale.epoch
