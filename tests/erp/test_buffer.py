"""The ERP buffer: a row for each order and cancellation, in the order's own transaction."""

from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from storefront.core.db import transaction
from storefront.erp.models import BufferRow
from storefront.orders.events import order_cancelled, order_placed
from storefront.orders.models import Order
from storefront.stock.stockroom import Stockroom
from storefront.stock.verify import verify
from tests.cart.shelf import Visitor, available, shelve, visitor


class ErpDown(Exception):
    """What a receiver that comes after the buffer fails with."""


@pytest.fixture
def ann(app: Flask) -> Visitor:
    """A shopper who holds one mug at 10.00, of five."""
    shelve(MUG=5)
    ann = visitor(app)
    ann.add("MUG")
    return ann


@pytest.fixture
def failing() -> Iterator[None]:
    """Let placing and cancelling fail after all their writes."""

    def fail(_sender: object, **_: object) -> None:
        raise ErpDown

    order_placed.connect(fail)
    order_cancelled.connect(fail)
    yield
    order_placed.disconnect(fail)
    order_cancelled.disconnect(fail)


def rows(room: Stockroom) -> list[tuple[int | None, int, str, str]]:
    with Session(room.engine) as session:
        found = session.scalars(select(BufferRow).order_by(BufferRow.id))
        return [(row.order_id, row.version, row.kind, row.state) for row in found]


def is_sent(room: Stockroom) -> None:
    """The ERP has booked what was waiting."""
    with transaction(room.engine) as session:
        session.execute(update(BufferRow).values(state="applied"))


def statuses(room: Stockroom) -> list[str]:
    with Session(room.engine) as session:
        return list(session.scalars(select(Order.status)))


def test_an_order_is_noted_once_for_the_erp(room: Stockroom, ann: Visitor) -> None:
    order = ann.order("10.00").get_json()
    ann.order("10.00")

    assert rows(room) == [(order["id"], 1, "placed", "waiting")]


def test_a_cancellation_is_noted_once_after_its_order(room: Stockroom, ann: Visitor) -> None:
    order = ann.order("10.00").get_json()
    is_sent(room)

    for _ in range(2):
        ann.post(f"/api/v1/orders/{order['token']}/cancel")

    assert rows(room) == [(order["id"], 1, "placed", "applied"), (order["id"], 2, "cancelled", "waiting")]


def test_an_order_that_is_cancelled_before_it_is_sent_is_withdrawn(room: Stockroom, ann: Visitor) -> None:
    order = ann.order("10.00").get_json()

    ann.post(f"/api/v1/orders/{order['token']}/cancel")

    assert rows(room) == [(order["id"], 1, "placed", "withdrawn"), (order["id"], 2, "cancelled", "withdrawn")]


def test_a_refused_order_notes_nothing(room: Stockroom, ann: Visitor) -> None:
    ann.order("9.00")

    assert rows(room) == []


def test_an_order_that_fails_after_its_note_leaves_nothing(
    app: Flask, room: Stockroom, ann: Visitor, failing: None
) -> None:
    answer = ann.order("10.00")

    assert answer.status_code == 500
    assert rows(room) == []
    assert statuses(room) == []
    assert ann.cart() == {"MUG": 1}
    assert available(app, "MUG") == 4
    assert verify(room, 0) == []


def test_a_cancellation_that_fails_after_its_note_leaves_the_order_placed(
    app: Flask, room: Stockroom, ann: Visitor, request: pytest.FixtureRequest
) -> None:
    order = ann.order("10.00").get_json()
    request.getfixturevalue("failing")

    answer = ann.post(f"/api/v1/orders/{order['token']}/cancel")

    assert answer.status_code == 500
    assert rows(room) == [(order["id"], 1, "placed", "waiting")]
    assert statuses(room) == ["placed"]
    assert available(app, "MUG") == 4
    assert verify(room, 0) == []
