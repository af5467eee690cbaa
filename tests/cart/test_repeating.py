"""An Idempotency-Key on the cart's calls: the first answer again, and no second effect."""

import pytest
from flask import Flask

from storefront.core import idempotency
from storefront.stock.journal import Journal, JournalSlow
from tests.cart.shelf import Visitor, available, shelve, visitor

KEY = {"Idempotency-Key": "key"}


@pytest.fixture
def ann(app: Flask) -> Visitor:
    """A shopper with an empty cart before five mugs."""
    shelve(MUG=5)
    return visitor(app)


def test_an_add_that_is_repeated_gets_its_first_answer(app: Flask, ann: Visitor) -> None:
    first = ann.post("/api/v1/cart/items", json={"sku": "MUG", "quantity": 2}, headers=KEY)
    visitor(app).add("MUG")
    again = ann.post("/api/v1/cart/items", json={"sku": "MUG", "quantity": 2}, headers=KEY)

    assert (again.status_code, again.get_json()) == (201, first.get_json())
    assert ann.cart() == {"MUG": 2}


def test_a_key_with_another_body_is_422(ann: Visitor) -> None:
    ann.post("/api/v1/cart/items", json={"sku": "MUG", "quantity": 2}, headers=KEY)

    answer = ann.post("/api/v1/cart/items", json={"sku": "MUG", "quantity": 1}, headers=KEY)

    assert (answer.status_code, answer.get_json()["code"]) == (422, "idempotency_key_reused")
    assert ann.cart() == {"MUG": 2}


def test_a_refusal_for_want_of_units_is_repeated_too(app: Flask, ann: Visitor) -> None:
    other = visitor(app)
    other.add("MUG", 5)
    first = ann.post("/api/v1/cart/items", json={"sku": "MUG", "quantity": 1}, headers=KEY)
    other.delete("/api/v1/cart/items/MUG")

    again = ann.post("/api/v1/cart/items", json={"sku": "MUG", "quantity": 1}, headers=KEY)

    assert (first.status_code, again.status_code) == (409, 409)
    assert again.get_json() == first.get_json()
    assert again.mimetype == "application/problem+json"
    assert ann.cart() == {}


def test_what_was_not_valid_may_be_sent_again_mended(ann: Visitor) -> None:
    ann.post("/api/v1/cart/items", json={"sku": "MUG", "quantity": 0}, headers=KEY)

    answer = ann.post("/api/v1/cart/items", json={"sku": "MUG", "quantity": 1}, headers=KEY)

    assert answer.status_code == 201


def test_a_put_that_is_repeated_late_does_not_undo_what_came_after(ann: Visitor) -> None:
    ann.put("/api/v1/cart/items/MUG", json={"quantity": 1}, headers=KEY)
    ann.put("/api/v1/cart/items/MUG", json={"quantity": 3})

    ann.put("/api/v1/cart/items/MUG", json={"quantity": 1}, headers=KEY)

    assert ann.cart() == {"MUG": 3}


def test_an_extension_that_is_repeated_counts_once(ann: Visitor) -> None:
    ann.add("MUG")

    answers = [ann.post("/api/v1/cart/items/MUG/extend", headers=KEY) for _ in range(5)]

    assert {answer.status_code for answer in answers} == {200}
    assert ann.post("/api/v1/cart/items/MUG/extend").status_code == 200


def test_a_cancellation_that_is_repeated_gets_its_first_answer(app: Flask, ann: Visitor) -> None:
    ann.add("MUG")
    token = ann.order("10.00").get_json()["token"]

    answers = [ann.post(f"/api/v1/orders/{token}/cancel", headers={"Idempotency-Key": "c"}) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].get_json() == answers[1].get_json()
    assert available(app, "MUG") == 5


def test_a_click_that_was_answered_503_takes_the_units_when_it_comes_again(
    app: Flask, ann: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_slow(*_: object) -> None:
        raise JournalSlow

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "write", too_slow)
        refused = [ann.post("/api/v1/cart/items", json={"sku": "MUG", "quantity": 2}, headers=KEY) for _ in range(2)]

    answers = [ann.post("/api/v1/cart/items", json={"sku": "MUG", "quantity": 2}, headers=KEY) for _ in range(2)]

    assert [(answer.status_code, answer.headers["Retry-After"]) for answer in refused] == [(503, "1")] * 2
    assert [answer.status_code for answer in answers] == [201, 201]
    assert ann.cart() == {"MUG": 2}
    assert available(app, "MUG") == 3


def test_the_same_request_twice_at_once_waits_for_the_first_or_is_told_to_come_again(
    app: Flask, ann: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "PATIENCE_SECONDS", 0.2)
    ann.add("MUG")
    with ann.session_transaction() as session:
        shopper = session["shopper"]

    with idempotency.turn(shopper, "key"):
        early = ann.post("/api/v1/cart/items", json={"sku": "MUG", "quantity": 2}, headers=KEY)
    later = ann.post("/api/v1/cart/items", json={"sku": "MUG", "quantity": 2}, headers=KEY)

    assert (early.status_code, early.get_json()["code"], early.headers["Retry-After"]) == (409, "still_running", "1")
    assert later.status_code == 201
    assert available(app, "MUG") == 2
