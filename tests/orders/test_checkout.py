"""The checkout: all of the cart becomes one order, or nothing changes."""

from decimal import Decimal
from functools import partial

import pytest
from flask import Flask
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from storefront import create_app
from storefront.catalog.models import Product, Variant
from storefront.core.db import transaction
from storefront.orders.models import Order, OrderLine
from storefront.stock import keys, reservations
from storefront.stock.models import StockLevel
from storefront.stock.stockroom import Stockroom
from storefront.stock.verify import verify
from tests.cart.shelf import Visitor, all_at_once, available, let_holds_run_out, shelve, visitor


@pytest.fixture
def ann(app: Flask) -> Visitor:
    """A shopper who holds one mug at 10.00, of five."""
    shelve(MUG=5)
    ann = visitor(app)
    ann.add("MUG")
    return ann


def orders(room: Stockroom) -> int:
    """How many orders there are."""
    with Session(room.engine) as session:
        return session.scalar(select(func.count()).select_from(Order)) or 0


def tab_of(app: Flask, who: Visitor) -> Visitor:
    """Another connection of the same shopper."""
    tab = visitor(app)
    tab.set_cookie("session", who.get_cookie("session").value)  # type: ignore[union-attr]
    return tab


# --- once


def test_a_double_submit_is_one_order_with_the_same_answer(room: Stockroom, ann: Visitor) -> None:
    first, second = ann.order("10.00"), ann.order("10.00")

    assert first.status_code == second.status_code == 201
    assert first.get_json() == second.get_json()
    assert orders(room) == 1


def test_20_submits_at_once_with_one_key_are_one_order(app: Flask, room: Stockroom, ann: Visitor) -> None:
    tabs = [tab_of(app, ann) for _ in range(20)]

    answers = all_at_once([partial(tab.order, "10.00") for tab in tabs])

    placed = [answer for answer in answers if answer.status_code == 201]
    others = {(answer.status_code, answer.get_json()["code"]) for answer in answers if answer.status_code != 201}
    assert len({answer.get_json()["token"] for answer in placed}) == 1
    assert {status for status, _ in others} <= {409}  # "still running" is the only other answer allowed
    assert all("Retry-After" in answer.headers for answer in answers if answer.status_code == 409)
    assert orders(room) == 1
    assert available(app, "MUG") == 4
    assert verify(room, 2) == []


def test_one_cart_with_two_keys_at_once_is_one_order(app: Flask, room: Stockroom, ann: Visitor) -> None:
    tabs = [tab_of(app, ann) for _ in range(8)]

    answers = all_at_once([partial(tab.order, "10.00", f"key-{number}") for number, tab in enumerate(tabs)])

    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == [201] + [409] * 7
    assert orders(room) == 1
    assert available(app, "MUG") == 4
    assert verify(room, 2) == []


def test_a_key_with_another_body_is_422_idempotency_key_reused(room: Stockroom, ann: Visitor) -> None:
    ann.order("10.00")

    answer = ann.order("10.00", name="Another Name")

    assert (answer.status_code, answer.get_json()["code"]) == (422, "idempotency_key_reused")
    assert orders(room) == 1


def test_the_order_of_members_makes_no_other_body(ann: Visitor) -> None:
    first = ann.order("10.00").get_json()
    body = {"expected_total": {"currency": "EUR", "amount": "10.00"}, **first}

    again = ann.order("10.00", expected_total=body["expected_total"])

    assert again.get_json() == first


def test_a_key_belongs_to_its_shopper(app: Flask, room: Stockroom, ann: Visitor) -> None:
    ben = visitor(app)
    ben.add("MUG")

    ann.order("10.00", "same key")
    answer = ben.order("10.00", "same key", name="Ben")

    assert answer.status_code == 201
    assert orders(room) == 2


# --- time


def test_a_hold_that_ran_out_during_checkout_is_held_again_and_ordered(
    app: Flask, room: Stockroom, ann: Visitor
) -> None:
    let_holds_run_out(room)
    reservations.expire_all_due(room)

    answer = ann.order("10.00")

    assert answer.status_code == 201
    assert available(app, "MUG") == 4
    assert verify(room, 0) == []


def test_a_hold_that_ran_out_and_was_not_swept_yet_is_ordered_too(app: Flask, room: Stockroom, ann: Visitor) -> None:
    let_holds_run_out(room)

    answer = ann.order("10.00")
    reservations.expire_all_due(room)

    assert answer.status_code == 201
    assert available(app, "MUG") == 4
    assert verify(room, 0) == []


def test_the_last_unit_whose_hold_ran_out_unswept_is_ordered_by_its_holder(app: Flask, room: Stockroom) -> None:
    shelve(LAST=1)
    ann = visitor(app)
    ann.add("LAST")
    let_holds_run_out(room)

    answer = ann.order("10.00")

    assert answer.status_code == 201
    assert available(app, "LAST") == 0


def test_a_hold_that_ran_out_and_is_gone_is_409_hold_expired_naming_the_sku(app: Flask, room: Stockroom) -> None:
    shelve(MUG=1, CAP=5)
    ann, ben = visitor(app), visitor(app)
    ann.add("CAP")
    ann.add("MUG")
    let_holds_run_out(room)
    reservations.expire_all_due(room)
    ben.add("MUG")

    answer = ann.order("20.00")

    assert (answer.status_code, answer.get_json()["code"], answer.get_json()["sku"]) == (409, "hold_expired", "MUG")
    assert orders(room) == 0
    assert ann.cart() == {}
    assert available(app, "CAP") == 5
    assert verify(room, 0) == []


def test_of_two_lines_the_short_one_is_named_and_the_other_stays_held(app: Flask, room: Stockroom) -> None:
    shelve(MUG=1, CAP=5)
    ann, ben = visitor(app), visitor(app)
    ann.add("MUG")
    let_holds_run_out(room)
    reservations.expire_all_due(room)
    ann.add("CAP")
    ben.add("MUG")
    before = ann.get("/api/v1/cart").get_json()["items"]

    answer = ann.order("20.00")

    after = ann.get("/api/v1/cart").get_json()["items"]
    assert answer.get_json()["sku"] == "MUG"
    assert [(item["sku"], item["expires_at"]) for item in after] == [
        (item["sku"], item["expires_at"]) for item in before
    ]
    assert orders(room) == 0


def test_an_order_at_the_deadline_and_the_sweep_share_no_unit(app: Flask, room: Stockroom) -> None:
    shelve(MUG=8)
    shoppers = [visitor(app) for _ in range(8)]
    for shopper in shoppers:
        shopper.add("MUG")
    let_holds_run_out(room)

    calls: list = [partial(shopper.order, "10.00") for shopper in shoppers]
    answers = all_at_once([*calls, partial(reservations.expire_all_due, room)])[:8]

    placed = sum(answer.status_code == 201 for answer in answers)
    reservations.expire_all_due(room)
    assert orders(room) == placed
    assert verify(room, 2) == []


def test_a_release_against_the_sale_leaves_one_winner(app: Flask, room: Stockroom) -> None:
    shelve(MUG=20)
    shoppers = [visitor(app) for _ in range(6)]
    for shopper in shoppers:
        shopper.add("MUG")
    tabs = [tab_of(app, shopper) for shopper in shoppers]

    calls = [partial(shopper.order, "10.00") for shopper in shoppers]
    releases = [partial(tab.delete, "/api/v1/cart/items/MUG") for tab in tabs]
    answers = all_at_once([*calls, *releases])

    placed = sum(answer.status_code == 201 for answer in answers)
    assert orders(room) == placed
    assert available(app, "MUG") == 20 - placed
    assert verify(room, 2) == []


# --- money


def set_price(room: Stockroom, sku: str, price: str) -> None:
    with transaction(room.engine) as session:
        variant = session.scalars(select(Variant).where(Variant.sku == sku)).one()
        variant.price = Decimal(price)


def test_a_price_that_changed_while_held_is_told_before_the_sale(room: Stockroom, ann: Visitor) -> None:
    set_price(room, "MUG", "12.00")

    refused = ann.order("10.00", "key-1")
    agreed = ann.order("12.00", "key-2")

    assert refused.get_json()["code"] == "total_changed"
    assert refused.get_json()["total"] == {"amount": "12.00", "currency": "EUR"}
    assert agreed.get_json()["total"]["amount"] == "12.00"


def test_an_order_keeps_its_price_title_and_tax(settings_of, app: Flask, room: Stockroom, ann: Visitor) -> None:  # type: ignore[no-untyped-def]
    taxed = visitor(create_app(settings_of(TAX_PERCENT="19")))
    taxed.set_cookie("session", ann.get_cookie("session").value)  # type: ignore[union-attr]
    token = taxed.order("10.00").get_json()["token"]

    set_price(room, "MUG", "99.00")
    with transaction(room.engine) as session:
        session.scalars(select(Product)).one().title = "Another title"

    with Session(room.engine) as session:
        line = session.scalars(select(OrderLine)).one()
        assert (line.price, line.tax, line.currency) == (Decimal("10.00"), Decimal("1.60"), "EUR")
    assert visitor(app).get(f"/api/v1/orders/{token}").get_json()["lines"][0]["title"] == "The mug"


def test_many_lines_are_summed_to_the_cent(app: Flask) -> None:
    shelve(price="0.10", A=10)
    shelve(price="0.20", B=10)
    ann = visitor(app)
    ann.add("A", 3)
    ann.add("B", 3)

    assert ann.order("0.90").status_code == 201


# --- more than one


def test_carts_in_opposite_order_do_not_deadlock(app: Flask, room: Stockroom) -> None:
    shelve(A=50, B=50, C=50)
    shoppers = [visitor(app) for _ in range(12)]
    for number, shopper in enumerate(shoppers):
        for sku in "ABC" if number % 2 else "CBA":
            shopper.add(sku)

    answers = all_at_once([partial(shopper.order, "30.00") for shopper in shoppers])

    assert [answer.status_code for answer in answers] == [201] * 12
    assert verify(room, 2) == []


def test_the_guard_refuses_to_oversell_though_redis_lies(app: Flask, room: Stockroom) -> None:
    shelve(MUG=1)
    room.unfenced.hset(keys.level("MUG"), "available", 5)
    ann, ben = visitor(app), visitor(app)
    ann.add("MUG")
    ben.add("MUG")

    first, second = ann.order("10.00"), ben.order("10.00")

    assert (first.status_code, second.status_code) == (201, 409)
    assert orders(room) == 1
    with Session(room.engine) as session:
        level = session.get(StockLevel, ("MUG", "main"))
        assert level is not None
        assert (level.on_hand, level.committed, level.shortfall) == (1, 1, 0)


def test_the_database_itself_refuses_to_be_oversold(room: Stockroom, ann: Visitor) -> None:
    with pytest.raises(Exception, match="not_oversold"), transaction(room.engine) as session:
        session.execute(text("UPDATE stock_levels SET committed = 6 WHERE sku = 'MUG'"))
