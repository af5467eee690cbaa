"""A sale with a queue on a real Redis, and people in it."""

from collections.abc import Callable
from typing import Any

import pytest

from storefront.stock.stockroom import Stockroom
from storefront.waiting_room import joining, queue, sales, tick
from storefront.waiting_room.joining import Joiner
from storefront.waiting_room.models import Sale
from storefront.waiting_room.outcomes import Joined, Place, Ticket
from storefront.waiting_room.sales import NewSale

ALWAYS = 10_000.0  # admissions per second: the rate is no bound in these tests


@pytest.fixture
def sale_of(room: Stockroom, stocked: Callable[..., Stockroom]) -> Callable[..., Sale]:
    """Make a sale `drop` of MUG, open already: units on hand, then fields of NewSale as keywords."""

    def make(units: int = 5, *, opened: bool = True, **fields: Any) -> Sale:
        stocked(MUG=units)
        opens_at_ms = room.now_ms() + (0 if opened else 3_600_000)
        given = {"slug": "drop", "skus": ("MUG",), "opens_at_ms": opens_at_ms, "rate": ALWAYS, **fields}
        sales.create(room, NewSale(**given), "ops")
        sale = sales.find(room, given["slug"])
        tick.build_if_lost(room, sale)
        tick.tick_all(room)
        return sales.find(room, given["slug"])

    return make


@pytest.fixture
def join(room: Stockroom) -> Callable[..., Joined]:
    """Let somebody join `drop`. Raises the refusals."""

    def one(shopper: str, email: str = "", ticket: Ticket | None = None) -> Joined:
        outcome = joining.join(room, "drop", [Joiner("drop", shopper, email, ticket)])[0]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    return one


@pytest.fixture
def place(room: Stockroom) -> Callable[..., Place]:
    """Where somebody stands in `drop`."""

    def one(shopper: str, ticket: Ticket | None = None) -> Place:
        return queue.look(room, "drop", [ticket or Ticket(shopper, 0, 0, False)])[1][0]

    return one
