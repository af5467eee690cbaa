"""Events of the stock: what runs low, is out and is back, and what is promised and not there."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from storefront.erp.events import stock_words
from storefront.erp.events.rows import NAMED_MOST
from storefront.erp.models import BufferRow, ToldStock
from storefront.stock import adjustments, keys, levels
from storefront.stock.outcomes import UnknownSku
from storefront.stock.stockroom import Stockroom
from tests.cart.shelf import all_at_once, shelve, visitor
from tests.erp.events.listener import Listener
from workers import jobs

Send = Callable[[], dict[str, Any]]
LOW = 5  # from here down, as the shop says by default


def told(room: Stockroom) -> list[tuple[str, Any, Any]]:
    """Topic, SKU and units of each event, in order."""
    return [(kind, data["sku"], data.get("available", data.get("units"))) for kind, data in events(room)]


def events(room: Stockroom) -> list[tuple[str, dict[str, Any]]]:
    """Topic and data of each event, in order."""
    of_events = select(BufferRow).where(BufferRow.channel == "events").options(joinedload(BufferRow.document))
    with Session(room.engine) as session:
        rows = session.scalars(of_events.order_by(BufferRow.id)).all()
    return [(row.kind, json.loads(row.document.text)["data"]) for row in rows]


def become(room: Stockroom, units: int, sku: str = "MUG") -> None:
    """Let so many units be on hand, and look what there is to tell."""
    adjustments.count(room, sku, units, room.now_ms())
    stock_words.tell_changes(room)


@pytest.mark.parametrize("numbers, topics", [
    ((9, LOW + 1), []),
    ((9, LOW), ["stock.low"]),
    ((9, 0), ["stock.out"]),
    ((LOW, 0), ["stock.out"]),
    ((0, 1), ["stock.back"]),
    ((0, 9), ["stock.back"]),
    ((LOW, 9), []),
    ((9, 3, 2, 0, 4, 9, 1), ["stock.low", "stock.out", "stock.back", "stock.low"]),
])  # fmt: skip
def test_each_change_of_the_word_is_told_once(
    room: Stockroom, stocked: Callable[..., Stockroom], numbers: tuple[int, ...], topics: list[str]
) -> None:
    stocked(MUG=1)

    for units in numbers:
        become(room, units)
        stock_words.tell_changes(room)

    assert [topic for topic, _, _ in told(room)] == topics


def test_who_begins_to_listen_is_not_told_of_all_that_is_sold_out(
    room: Stockroom, stocked: Callable[..., Stockroom]
) -> None:
    stocked(MUG=0, CAP=3, POT=9)

    assert stock_words.tell_changes(room) == 0
    assert told(room) == []


def test_an_event_says_of_which_state_it_tells(
    room: Stockroom, stocked: Callable[..., Stockroom], listener: Listener, send: Send
) -> None:
    stocked(MUG=9)
    stock_words.tell_changes(room)
    become(room, 3)

    send()

    (event,) = listener.heard
    level = levels.read(room, ["MUG"])["MUG"]
    assert event["type"] == "stock.low"
    assert event["data"] == {"sku": "MUG", "available": 3, "version": level.version, "epoch": level.epoch}


def test_the_jobs_of_the_worker_notice_and_send(
    room: Stockroom, stocked: Callable[..., Stockroom], listener: Listener
) -> None:
    stocked(MUG=9)
    jobs.note_stock_events()
    adjustments.count(room, "MUG", 0, room.now_ms())

    jobs.note_stock_events()
    jobs.send_events()

    assert listener.topics() == ["stock.out"]


def test_units_in_carts_count_as_gone(app: Flask, room: Stockroom) -> None:
    shelve(MUG=6)
    stock_words.tell_changes(room)
    ann = visitor(app)
    ann.add("MUG", 6)
    stock_words.tell_changes(room)

    ann.delete("/api/v1/cart/items/MUG")
    stock_words.tell_changes(room)

    assert told(room) == [("stock.out", "MUG", 0), ("stock.back", "MUG", 6)]


def test_while_the_stock_is_being_checked_nothing_is_told(room: Stockroom, stocked: Callable[..., Stockroom]) -> None:
    stocked(MUG=9)
    stock_words.tell_changes(room)
    room.unfenced.delete(keys.level("MUG"))

    assert stock_words.tell_changes(room) == 0
    assert told(room) == []


def test_two_who_look_at_once_tell_it_once(room: Stockroom, stocked: Callable[..., Stockroom]) -> None:
    stocked(**{f"SKU-{number}": 9 for number in range(20)})
    all_at_once([lambda: stock_words.tell_changes(room)] * 3)
    for number in range(20):
        adjustments.count(room, f"SKU-{number}", 0, room.now_ms())

    all_at_once([lambda: stock_words.tell_changes(room)] * 3)

    assert sorted(told(room)) == sorted(("stock.out", f"SKU-{number}", 0) for number in range(20))


def test_many_skus_are_read_in_slices(
    room: Stockroom, stocked: Callable[..., Stockroom], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stock_words, "SLICE", 3)
    stocked(**{f"SKU-{number}": 9 for number in range(10)})

    stock_words.tell_changes(room)
    with Session(room.engine) as session:
        known = session.scalars(select(ToldStock.sku)).all()

    assert len(known) == 10


def test_a_shortfall_names_the_youngest_orders_until_they_cover_it(app: Flask, room: Stockroom) -> None:
    shelve(MUG=10)
    orders = []
    for units in (4, 3, 2, 1):
        ann = visitor(app)
        ann.add("MUG", units)
        orders.append(ann.order(f"{units}0.00").get_json())
    visitor(app).post(f"/api/v1/orders/{orders[3]['token']}/cancel")

    adjustments.adjust(room, "MUG", -5, "a shelf fell", force=True)

    (data,) = [data for topic, data in events(room) if topic == "stock.shortfall"]
    assert data == {
        "sku": "MUG",
        "units": 4,
        "cause": "operator",
        "orders_at_risk": 2,
        "orders": [
            {"order_id": order["id"], "number": order["number"], "units": units}
            for order, units in ((orders[2], 2), (orders[1], 3))
        ],
    }


def test_a_big_shortfall_is_a_small_event(app: Flask, room: Stockroom) -> None:
    number = NAMED_MOST + 3
    shelve(MUG=number)
    for _ in range(number):
        ann = visitor(app)
        ann.add("MUG")
        assert ann.order("10.00").status_code == 201

    adjustments.count(room, "MUG", 0, room.now_ms())

    (data,) = [data for topic, data in events(room) if topic == "stock.shortfall"]
    assert (data["orders_at_risk"], len(data["orders"])) == (number, NAMED_MOST)


def test_a_shortfall_that_is_rolled_back_is_not_told(room: Stockroom, stocked: Callable[..., Stockroom]) -> None:
    stocked(MUG=1)

    with pytest.raises(UnknownSku):
        adjustments.adjust(room, "NOPE", -1, "fire", force=True)

    assert told(room) == []
