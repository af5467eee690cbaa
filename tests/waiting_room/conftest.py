"""A sale with a queue on a real Redis, and people in it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from storefront.cart import basket
from storefront.core.tools import take
from storefront.stock import reservations
from storefront.stock.models import Reservation
from storefront.stock.stockroom import Stockroom
from storefront.waiting_room import joining, keys, queue, sales, tick
from storefront.waiting_room.joining import Joiner
from storefront.waiting_room.models import Sale
from storefront.waiting_room.outcomes import Joined, Place, Ticket
from storefront.waiting_room.sales import NewSale

ALWAYS = 10_000.0  # admissions per second: the rate is no bound in these tests


@pytest.fixture
def room(app: Flask) -> Stockroom:
    """The stockroom of `app`, which heals only when told to."""
    return replace(take("stockroom"), on_closed=lambda room, sku: None)


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


@pytest.fixture
def time_passes(room: Stockroom) -> Callable[[str], None]:
    """Let the time of somebody who was admitted be over: his slot is due."""

    def end(shopper: str) -> None:
        room.redis.zadd(keys.active("drop"), {shopper: 1}, xx=True)

    return end


@pytest.fixture
def give_back(room: Stockroom) -> Callable[[str], None]:
    """Let somebody give back all he holds."""

    def release(shopper: str) -> None:
        with Session(room.engine) as session:
            held = session.scalars(select(Reservation).where(Reservation.shopper == shopper)).all()
        for one in held:
            reservations.release(room, one.id, one.sku)

    return release


@pytest.fixture
def take_unit(room: Stockroom) -> Callable[..., basket.Added]:
    """Let somebody put MUG into his cart."""
    return lambda shopper, sku="MUG", units=1: basket.add(room, shopper, basket.Wish(sku, units, uuid4().hex))
