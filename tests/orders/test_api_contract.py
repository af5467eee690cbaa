"""The API of orders, as a client reads it in the contract."""

from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from storefront.stock.stockroom import Stockroom
from storefront.stock.verify import verify
from tests.cart.shelf import DETAILS, Visitor, available, shelve, visitor


@pytest.fixture
def ann(app: Flask) -> Visitor:
    """A shopper who holds two mugs at 10.00."""
    shelve(MUG=5)
    ann = visitor(app)
    ann.add("MUG", 2)
    return ann


def code_of(answer: TestResponse) -> tuple[int, str]:
    """Status and problem code of a refusal."""
    assert answer.mimetype == "application/problem+json", answer.text
    return answer.status_code, answer.get_json()["code"]


def test_an_order_answers_201_with_id_token_status_and_total(app: Flask, ann: Visitor) -> None:
    answer = ann.order("20.00")

    body = answer.get_json()
    assert answer.status_code == 201
    assert {"id", "token", "status", "total"} <= body.keys()
    assert body["status"] == "placed"
    assert body["total"] == {"amount": "20.00", "currency": "EUR"}


def test_an_order_empties_the_cart_and_keeps_the_units(app: Flask, room: Stockroom, ann: Visitor) -> None:
    ann.order("20.00")

    assert ann.cart() == {}
    assert available(app, "MUG") == 3
    assert verify(room, 0) == []


def test_an_order_is_read_by_its_token_alone(app: Flask, ann: Visitor) -> None:
    token = ann.order("20.00").get_json()["token"]

    answer = visitor(app).get(f"/api/v1/orders/{token}")

    assert answer.status_code == 200
    assert answer.get_json()["token"] == token
    assert answer.get_json()["lines"][0] | {"title": ""} == {
        "sku": "MUG", "title": "", "quantity": 2, "price": "10.00",
    }  # fmt: skip


def test_a_token_cannot_be_guessed(app: Flask, ann: Visitor) -> None:
    first = ann.order("20.00", "key-1").get_json()
    ann.add("MUG", 1)
    second = ann.order("10.00", "key-2").get_json()

    assert len(first["token"]) >= 20
    assert first["token"] != second["token"]


@pytest.mark.parametrize("method, path", [
    ("GET", "/api/v1/orders/nobody"), ("POST", "/api/v1/orders/nobody/cancel"),
])  # fmt: skip
def test_an_unknown_order_is_404(app: Flask, method: str, path: str) -> None:
    answer = visitor(app).open(path, method=method)

    assert code_of(answer) == (404, "unknown_order")


def test_without_a_key_an_order_is_422(ann: Visitor) -> None:
    answer = ann.order("20.00", key=None)

    assert answer.status_code == 422
    assert ann.cart() == {"MUG": 2}


@pytest.mark.parametrize("key", ["", "k" * 256])
def test_a_key_is_1_to_255_characters(ann: Visitor, key: str) -> None:
    refused = ann.order("20.00", key=key)
    longest = ann.order("20.00", key="k" * 255)

    assert refused.status_code == 422
    assert longest.status_code == 201


def test_another_total_than_expected_is_409_total_changed_with_the_new_one(ann: Visitor) -> None:
    answer = ann.order("19.99")

    assert code_of(answer) == (409, "total_changed")
    assert answer.get_json()["total"] == {"amount": "20.00", "currency": "EUR"}
    assert ann.cart() == {"MUG": 2}


def test_an_empty_cart_cannot_be_ordered(app: Flask) -> None:
    assert code_of(visitor(app).order("0.00")) == (409, "cart_empty")


WRONG: dict[str, dict[str, Any]] = {
    "no email": {"email": None},
    "an email without @": {"email": "ann.example.org"},
    "an email that is a number": {"email": 5},
    "an email of two lines": {"email": "ann@example.org\nBcc: all@example.org"},
    "an empty name": {"name": ""},
    "a name of blanks": {"name": "   "},
    "a long name": {"name": "n" * 201},
    "a name that is a list": {"name": ["Ann"]},
    "no address": {"address": None},
    "an address that is a text": {"address": "Ulm"},
    "no city": {"address": {**DETAILS["address"], "city": ""}},  # type: ignore[dict-item]
    "no country": {"address": {**DETAILS["address"], "country": ""}},  # type: ignore[dict-item]
    "a country that is none": {"address": {**DETAILS["address"], "country": "XX"}},  # type: ignore[dict-item]
    "a country in small letters and words": {"address": {**DETAILS["address"], "country": "germany"}},  # type: ignore[dict-item]
    "no total": {"expected_total": None},
    "a total that is a number": {"expected_total": 20},
    "a total that is no amount": {"expected_total": {"amount": "free", "currency": "EUR"}},
    "a total that is NaN": {"expected_total": {"amount": "NaN", "currency": "EUR"}},
    "a total that is infinite": {"expected_total": {"amount": "Infinity", "currency": "EUR"}},
    "a total without currency": {"expected_total": {"amount": "20.00"}},
    "a total in another currency": {"expected_total": {"amount": "20.00", "currency": "USD"}},
    "a total whose amount is a list": {"expected_total": {"amount": ["20.00"], "currency": "EUR"}},
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_not_valid_is_422_and_nothing_changes(ann: Visitor, wrong: str) -> None:
    answer = ann.order("20.00", **WRONG[wrong])

    assert answer.status_code == 422, answer.text
    assert answer.mimetype == "application/problem+json"
    assert ann.cart() == {"MUG": 2}


def test_a_refused_body_does_not_use_up_its_key(ann: Visitor) -> None:
    ann.order("20.00", email="wrong")

    answer = ann.order("20.00")

    assert answer.status_code == 201


def test_each_wrong_member_is_named(ann: Visitor) -> None:
    problem = ann.order("20.00", email="wrong", name="").get_json()

    assert {"email", "name"} <= problem["errors"].keys()


@pytest.mark.parametrize("body, content_type", [
    ("{}", "text/plain"), ("[]", "application/json"), ("{", "application/json"), ("", "application/json"),
    ('{"expected_total": {"amount": NaN, "currency": "EUR"}}', "application/json"),
])  # fmt: skip
def test_a_body_that_is_no_json_object_is_refused(ann: Visitor, body: str, content_type: str) -> None:
    answer = ann.post("/api/v1/orders", data=body, content_type=content_type, headers={"Idempotency-Key": "k"})

    assert answer.status_code in (415, 422)
    assert answer.mimetype == "application/problem+json"


def test_an_amount_may_be_written_with_fewer_digits(ann: Visitor) -> None:
    answer = ann.order("20")

    assert answer.status_code == 201
    assert answer.get_json()["total"]["amount"] == "20.00"


def test_a_cancelled_order_says_so(app: Flask, ann: Visitor) -> None:
    token = ann.order("20.00").get_json()["token"]

    answer = ann.post(f"/api/v1/orders/{token}/cancel")

    assert (answer.status_code, answer.get_json()["status"]) == (200, "cancelled")
    assert ann.get(f"/api/v1/orders/{token}").get_json()["status"] == "cancelled"
    assert available(app, "MUG") == 5
