"""Cancelling: units and limit come back, once."""

from functools import partial

from flask import Flask

from storefront.stock.adjustments import set_limit
from storefront.stock.stockroom import Stockroom
from storefront.stock.verify import verify
from tests.cart.shelf import all_at_once, available, shelve, visitor


def test_a_cancelled_order_gives_its_units_back_once(app: Flask, room: Stockroom) -> None:
    shelve(MUG=5)
    ann = visitor(app)
    ann.add("MUG", 2)
    token = ann.order("20.00").get_json()["token"]

    answers = [ann.post(f"/api/v1/orders/{token}/cancel") for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert available(app, "MUG") == 5
    assert verify(room, 0) == []


def test_cancelled_ten_times_at_once_gives_its_units_back_once(app: Flask, room: Stockroom) -> None:
    shelve(MUG=5, CAP=5)
    ann = visitor(app)
    ann.add("MUG", 2)
    ann.add("CAP", 1)
    token = ann.order("30.00").get_json()["token"]

    answers = all_at_once([partial(visitor(app).post, f"/api/v1/orders/{token}/cancel") for _ in range(10)])

    assert {answer.status_code for answer in answers} == {200}
    assert (available(app, "MUG"), available(app, "CAP")) == (5, 5)
    assert verify(room, 2) == []


def test_a_cancelled_order_gives_the_limit_back_once(app: Flask, room: Stockroom) -> None:
    shelve(MUG=9)
    set_limit(room, "MUG", 2)
    ann = visitor(app)
    ann.add("MUG", 2)
    token = ann.order("20.00").get_json()["token"]
    full = ann.add("MUG")

    for _ in range(2):
        ann.post(f"/api/v1/orders/{token}/cancel")

    assert full.get_json()["code"] == "limit_reached"
    assert ann.add("MUG", 2).status_code == 201
    assert ann.add("MUG", 1).get_json()["code"] == "limit_reached"
    assert verify(room, 0) == []


def test_a_cancelled_unit_can_be_bought_by_the_next(app: Flask) -> None:
    shelve(MUG=1)
    ann, ben = visitor(app), visitor(app)
    ann.add("MUG")
    token = ann.order("10.00").get_json()["token"]
    sold_out = ben.add("MUG")

    ann.post(f"/api/v1/orders/{token}/cancel")

    assert sold_out.get_json()["code"] == "sold_out"
    assert ben.add("MUG").status_code == 201


def test_a_repeated_order_after_its_cancellation_gets_the_first_answer_and_orders_nothing(
    app: Flask, room: Stockroom
) -> None:
    shelve(MUG=1)
    ann = visitor(app)
    ann.add("MUG")
    first = ann.order("10.00")
    ann.post(f"/api/v1/orders/{first.get_json()['token']}/cancel")

    again = ann.order("10.00")

    assert (again.status_code, again.get_json()) == (201, first.get_json())
    assert available(app, "MUG") == 1
