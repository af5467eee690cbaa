"""Events of orders: written with the order, sent to who listens, each under an id that never changes."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from storefront import create_app
from storefront.core.config import Settings, SettingsError
from storefront.core.db import db, transaction
from storefront.core.tools import take
from storefront.erp import buffer, delivery
from storefront.erp.buffer import UnknownRow
from storefront.erp.events.rows import StillOnItsWay, replay
from storefront.erp.models import BufferRow, ErpBatch
from storefront.orders.events import order_placed
from storefront.stock.stockroom import Stockroom
from tests.cart.shelf import Visitor, shelve, visitor
from tests.erp.events.listener import Listener

pytestmark = pytest.mark.only_on("sqlite")  # the stock's events are tested on both

Send = Callable[[], dict[str, Any]]


@pytest.fixture
def ann(app: Flask) -> Visitor:
    """A shopper who holds two mugs at 10.00, of five."""
    shelve(MUG=5)
    ann = visitor(app)
    ann.add("MUG", 2)
    return ann


def events(room: Stockroom) -> list[BufferRow]:
    with Session(room.engine) as session:
        return [*session.scalars(select(BufferRow).where(BufferRow.channel == "events").order_by(BufferRow.id))]


def test_an_order_is_told(listener: Listener, ann: Visitor, send: Send) -> None:
    order = ann.order("20.00").get_json()

    send()

    (told,) = listener.heard
    assert (told["type"], told["id"]) == ("order.placed", listener.seen[0].headers["webhook-id"])
    assert told["at"].startswith("20") and told["at"].endswith("Z")
    assert told["data"] == {
        "order_id": order["id"],
        "number": order["number"],
        "total": {"amount": "20.00", "currency": "EUR"},
        "lines": [{"line": 1, "sku": "MUG", "quantity": 2, "unit_price": "10.00", "tax": "0.00"}],
    }


def test_nobody_is_told_who_ordered(listener: Listener, ann: Visitor, send: Send) -> None:
    order = ann.order("20.00").get_json()
    ann.post(f"/api/v1/orders/{order['token']}/cancel")

    send()

    heard = b"".join(seen.body for seen in listener.seen).decode()
    assert len(listener.heard) == 2
    for secret in (order["token"], "ann@example.org", "Ann Example", "Hill Street", "Ulm"):
        assert secret not in heard


def test_a_cancellation_is_told(listener: Listener, ann: Visitor, send: Send) -> None:
    order = ann.order("20.00").get_json()
    for _ in range(2):
        ann.post(f"/api/v1/orders/{order['token']}/cancel")

    send()

    assert listener.topics() == ["order.placed", "order.cancelled"]
    assert listener.heard[1]["data"]["order_id"] == order["id"]


def test_what_was_rolled_back_is_not_told(room: Stockroom, ann: Visitor) -> None:
    def fail(_sender: object, **_: object) -> None:
        raise ZeroDivisionError

    with order_placed.connected_to(fail):
        answer = ann.order("20.00")

    assert answer.status_code == 500
    assert events(room) == []


def test_the_order_itself_goes_to_the_erp_as_ever(room: Stockroom, ann: Visitor, send: Send) -> None:
    ann.order("20.00")

    send()

    assert [row.state for row in events(room)] == ["applied"]
    assert buffer.backlog(room).waiting == 1


def test_where_nobody_listens_nothing_is_written(settings_of: Callable[..., Settings], room: Stockroom) -> None:
    """Though the other shop, which has a listener, lives in this very process."""
    silent = create_app(settings_of())
    with silent.app_context():
        shelve(MUG=1)
        ann = visitor(silent)
        ann.add("MUG")

        answer = ann.order("10.00")

        assert answer.status_code == 201
        assert events(room) == []
        db.engine.dispose()


@pytest.mark.parametrize("environ, words", [
    ({"EVENTS_SECRET": ""}, "EVENTS_SECRET is missing"),
    ({"EVENTS_SECRET": "short"}, "EVENTS_SECRET=(hidden) is not allowed"),
    ({"EVENTS_URL": "example.org"}, "EVENTS_URL=(hidden) is not allowed"),
    ({"EVENTS_ALLOW_PRIVATE": "1"}, "EVENTS_ALLOW_PRIVATE='1' is not allowed"),
])  # fmt: skip
def test_a_wrong_setting_stops_the_start(
    settings_of: Callable[..., Settings], listener: Listener, environ: dict[str, str], words: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        create_app(settings_of(**{**listener.environ, **environ}))

    assert words in str(caught.value)


def test_a_listener_that_is_down_hears_it_later_and_once(listener: Listener, ann: Visitor, send: Send) -> None:
    ann.order("20.00")
    listener.will(instead=503)

    first, second = send(), send()
    third = send()

    assert first["error"].startswith("ErpAmbiguous: 503")
    assert (second["error"], third["batches"]) == ("", 0)
    assert listener.topics() == ["order.placed"]
    assert len({seen.headers["webhook-id"] for seen in listener.seen}) == 1


def test_an_answer_that_was_lost_is_a_second_delivery_under_the_same_id(
    listener: Listener, ann: Visitor, send: Send
) -> None:
    ann.order("20.00")
    listener.will(silent="after")

    send()
    send()

    assert [event["id"] for event in listener.heard] == [listener.heard[0]["id"]] * 2


def test_one_event_that_is_refused_is_a_dead_letter_and_the_next_goes_through(
    room: Stockroom, listener: Listener, ann: Visitor, send: Send
) -> None:
    order = ann.order("20.00").get_json()
    ann.post(f"/api/v1/orders/{order['token']}/cancel")
    listener.will(instead=422, body={"detail": "We know no such shop"})

    send()

    assert listener.topics() == ["order.cancelled"]
    assert [(row.state, row.words) for row in events(room)] == [
        ("dead", "422 Unprocessable Entity: We know no such shop"), ("applied", ""),
    ]  # fmt: skip


def test_who_is_not_listening_to_the_end_of_the_answer_is_taken_at_his_status(
    room: Stockroom, listener: Listener, ann: Visitor, send: Send
) -> None:
    ann.order("20.00")
    listener.will(garble=lambda _: b"thanks")

    send()

    assert [row.state for row in events(room)] == ["applied"]


def test_any_event_can_be_sent_again_under_its_id(
    room: Stockroom, listener: Listener, ann: Visitor, send: Send
) -> None:
    order = ann.order("20.00").get_json()
    listener.will(instead=400)
    send()
    ann.post(f"/api/v1/orders/{order['token']}/cancel")
    send()
    refused, delivered = [row.id for row in events(room)]

    sent = replay(room, [refused, delivered])
    delivery.deliver(take("events"))

    assert sent == 2
    assert [(event["id"], event["type"]) for event in listener.heard] == [
        (f"event-{delivered}", "order.cancelled"),
        (f"event-{refused}", "order.placed"),
        (f"event-{delivered}", "order.cancelled"),
    ]
    assert listener.heard[0] == listener.heard[2]
    with Session(room.engine) as session:
        assert session.scalars(select(ErpBatch.state)).all() == ["done"] * 4


def test_only_what_was_delivered_or_refused_can_be_sent_again(room: Stockroom, ann: Visitor, send: Send) -> None:
    ann.order("20.00")
    (event,) = events(room)
    with Session(room.engine) as session:
        order_row = session.scalars(select(BufferRow.id).where(BufferRow.channel == "erp")).one()

    with pytest.raises(StillOnItsWay):
        replay(room, [event.id])
    send()
    for wrong in (order_row, 999):
        with pytest.raises(UnknownRow, match=str(wrong)):
            replay(room, [event.id, wrong])

    assert [row.state for row in events(room)] == ["applied"]


def test_a_sender_that_died_after_it_sent_sends_the_same_again(
    room: Stockroom, listener: Listener, ann: Visitor, send: Send
) -> None:
    ann.order("20.00")
    send()
    with transaction(room.engine) as session:  # as it stands before the answer is marked
        session.execute(update(ErpBatch).values(state="unknown"))
        session.execute(update(BufferRow).where(BufferRow.channel == "events").values(state="batched"))

    send()

    assert listener.heard[0] == listener.heard[1]
    assert [row.state for row in events(room)] == ["applied"]
