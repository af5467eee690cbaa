"""The cart's API, as a client reads it in the contract."""

import json

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.cart.shelf import available, shelve, visitor


def problem_of(answer: TestResponse, status: int) -> dict:
    """The problem document of a refusal."""
    assert answer.status_code == status, answer.text
    assert answer.mimetype == "application/problem+json"
    problem = json.loads(answer.text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert problem["status"] == status
    assert {"title", "code"} <= problem.keys()
    return problem


def test_an_add_answers_201_with_line_and_level(app: Flask) -> None:
    shelve(MUG=5)

    answer = visitor(app).add("MUG", 2)

    body = answer.get_json()
    assert answer.status_code == 201
    assert (body["sku"], body["quantity"], body["available"]) == ("MUG", 2, 3)
    assert isinstance(body["version"], int)
    assert body["expires_at"].endswith("Z")


def test_the_first_change_makes_the_shopper_cookie(app: Flask) -> None:
    shelve(MUG=5)
    ann = visitor(app)

    before = ann.get("/api/v1/cart").headers.getlist("Set-Cookie")
    at_change = ann.add("MUG").headers.getlist("Set-Cookie")

    assert before == []
    assert "HttpOnly" in at_change[0]
    assert "SameSite=Lax" in at_change[0]


def test_the_cart_lists_items_and_total(app: Flask) -> None:
    shelve(price="2.50", MUG=5)
    ann = visitor(app)
    ann.add("MUG", 2)

    cart = ann.get("/api/v1/cart").get_json()

    (item,) = cart["items"]
    assert (item["sku"], item["quantity"], item["price"]) == ("MUG", 2, "2.50")
    assert 590_000 < item["expires_in_ms"] <= 600_000
    assert item["expires_at"].endswith("Z")
    assert cart["total"] == {"amount": "5.00", "currency": "EUR"}


def test_the_cart_of_a_new_visitor_is_empty(app: Flask) -> None:
    cart = visitor(app).get("/api/v1/cart").get_json()

    assert cart["items"] == []
    assert cart["total"] == {"amount": "0.00", "currency": "EUR"}


def test_put_sets_the_quantity_up_and_down(app: Flask) -> None:
    shelve(MUG=5)
    ann = visitor(app)
    ann.add("MUG", 2)

    up = ann.put("/api/v1/cart/items/MUG", json={"quantity": 4})
    down = ann.put("/api/v1/cart/items/MUG", json={"quantity": 1})

    assert (up.status_code, down.status_code) == (200, 200)
    assert up.get_json()["items"][0]["quantity"] == 4
    assert down.get_json()["items"][0]["quantity"] == 1
    assert available(app, "MUG") == 4


def test_put_0_removes_the_line(app: Flask) -> None:
    shelve(MUG=5)
    ann = visitor(app)
    ann.add("MUG", 2)

    answer = ann.put("/api/v1/cart/items/MUG", json={"quantity": 0})

    assert answer.status_code == 200
    assert ann.cart() == {}
    assert available(app, "MUG") == 5


def test_put_on_a_sku_that_is_not_in_the_cart_holds_it(app: Flask) -> None:
    shelve(MUG=5)
    ann = visitor(app)

    ann.put("/api/v1/cart/items/MUG", json={"quantity": 3})

    assert ann.cart() == {"MUG": 3}


def test_extend_tells_the_new_deadline(app: Flask) -> None:
    shelve(MUG=5)
    ann = visitor(app)
    before = ann.add("MUG").get_json()["expires_at"]

    answer = ann.post("/api/v1/cart/items/MUG/extend")

    assert answer.status_code == 200
    assert answer.get_json()["sku"] == "MUG"
    assert answer.get_json()["expires_at"] > before


def test_a_hold_is_not_extended_without_end(app: Flask) -> None:
    shelve(MUG=5)
    ann = visitor(app)
    ann.add("MUG")

    answers = [ann.post("/api/v1/cart/items/MUG/extend") for _ in range(10)]

    assert answers[0].status_code == 200
    assert problem_of(answers[-1], 409)["code"] == "extension_limit"


def test_delete_gives_the_units_back(app: Flask) -> None:
    shelve(MUG=5)
    ann = visitor(app)
    ann.add("MUG", 2)

    answer = ann.delete("/api/v1/cart/items/MUG")

    assert answer.status_code == 204
    assert available(app, "MUG") == 5
    assert ann.cart() == {}


@pytest.mark.parametrize("method, path", [
    ("POST", "/api/v1/cart/items"), ("PUT", "/api/v1/cart/items/NONE"),
])  # fmt: skip
def test_an_unknown_sku_is_404_unknown_sku(app: Flask, method: str, path: str) -> None:
    answer = visitor(app).open(path, method=method, json={"sku": "NONE", "quantity": 1})

    assert problem_of(answer, 404)["code"] == "unknown_sku"


def test_extending_what_is_not_in_the_cart_is_refused(app: Flask) -> None:
    shelve(MUG=5)

    answer = visitor(app).post("/api/v1/cart/items/MUG/extend")

    assert problem_of(answer, 409)["code"] == "hold_expired"


def test_the_last_unit_gone_is_409_sold_out(app: Flask) -> None:
    shelve(MUG=1)
    visitor(app).add("MUG")

    problem = problem_of(visitor(app).add("MUG"), 409)

    assert (problem["code"], problem["available"], problem["sku"]) == ("sold_out", 0, "MUG")


def test_too_few_units_is_409_insufficient_stock_with_what_is_left(app: Flask) -> None:
    shelve(MUG=2)

    problem = problem_of(visitor(app).add("MUG", 3), 409)

    assert (problem["code"], problem["available"]) == ("insufficient_stock", 2)


WRONG_QUANTITIES = ["0", "-1", "1.5", "2.0", "1e9", "1000001", "9" * 400, '"two"', '""', '"-1"', '"²"', "true", "false",
                    "null", "[]", "{}"]  # fmt: skip


@pytest.mark.parametrize("quantity", WRONG_QUANTITIES, ids=lambda raw: raw[:10])
def test_a_wrong_quantity_to_add_is_422_invalid_quantity(app: Flask, quantity: str) -> None:
    shelve(MUG=5)

    answer = visitor(app).post(
        "/api/v1/cart/items", data=f'{{"sku": "MUG", "quantity": {quantity}}}', content_type="application/json"
    )

    assert problem_of(answer, 422)["code"] == "invalid_quantity"
    assert available(app, "MUG") == 5


@pytest.mark.parametrize("quantity", [raw for raw in WRONG_QUANTITIES if raw != "0"], ids=lambda raw: raw[:10])
def test_a_wrong_quantity_to_set_is_422_invalid_quantity(app: Flask, quantity: str) -> None:
    shelve(MUG=5)
    ann = visitor(app)
    ann.add("MUG", 2)

    answer = ann.put("/api/v1/cart/items/MUG", data=f'{{"quantity": {quantity}}}', content_type="application/json")

    assert problem_of(answer, 422)["code"] == "invalid_quantity"
    assert ann.cart() == {"MUG": 2}


@pytest.mark.parametrize("method, path", [
    ("POST", "/api/v1/cart/items"), ("PUT", "/api/v1/cart/items/MUG"),
])  # fmt: skip
def test_a_missing_quantity_is_422_invalid_quantity(app: Flask, method: str, path: str) -> None:
    shelve(MUG=5)

    answer = visitor(app).open(path, method=method, json={"sku": "MUG"})

    assert problem_of(answer, 422)["code"] == "invalid_quantity"


@pytest.mark.parametrize("sku", ["null", "5", '""', "[]", "{}", '"' + "X" * 5000 + '"'],
                         ids=lambda raw: raw[:12])  # fmt: skip
def test_a_sku_that_cannot_be_one_is_404_unknown_sku(app: Flask, sku: str) -> None:
    answer = visitor(app).post(
        "/api/v1/cart/items", data=f'{{"sku": {sku}, "quantity": 1}}', content_type="application/json"
    )

    assert problem_of(answer, 404)["code"] == "unknown_sku"


@pytest.mark.parametrize("click_id", ["5", "[1]", '"' + "x" * 256 + '"', '"\\ud800"'], ids=lambda raw: raw[:8])
def test_a_click_id_that_cannot_be_one_is_422(app: Flask, click_id: str) -> None:
    shelve(MUG=5)

    answer = visitor(app).post(
        "/api/v1/cart/items",
        data=f'{{"sku": "MUG", "quantity": 1, "click_id": {click_id}}}',
        content_type="application/json",
    )

    problem_of(answer, 422)
    assert available(app, "MUG") == 5


@pytest.mark.parametrize("body, content_type", [
    ('{"sku": "MUG", "quantity": 1}', "text/plain"),
    ("sku=MUG&quantity=1", "application/x-www-form-urlencoded"),
    ('{"sku": "MUG", ', "application/json"),
    ('["MUG", 1]', "application/json"),
    ("null", "application/json"),
    ("", "application/json"),
    (b"\xff\xfe", "application/json"),
    ("[" * 100_000, "application/json"),
    ('{"sku": "\\ud800", "quantity": 1}', "application/json"),
    ('{"sku": "a\\u0000b", "quantity": 1}', "application/json"),
    ('{"sku": "MUG", "quantity": NaN}', "application/json"),
    ('{"sku": "MUG", "quantity": 1e400}', "application/json"),
], ids=["plain", "form", "cut", "list", "null", "empty", "binary", "deep", "half", "nul", "nan", "big"])  # fmt: skip
def test_a_body_that_is_no_json_object_is_refused(app: Flask, body: str | bytes, content_type: str) -> None:
    shelve(MUG=5)

    answer = visitor(app).post("/api/v1/cart/items", data=body, content_type=content_type)

    assert answer.status_code in (415, 422), answer.text
    assert answer.mimetype == "application/problem+json"
    assert available(app, "MUG") == 5


def test_a_body_that_is_too_big_is_413(app: Flask) -> None:
    answer = visitor(app).add("X" * 300_000)

    problem_of(answer, 413)


def test_an_unknown_address_of_the_api_is_a_problem(app: Flask) -> None:
    problem = problem_of(visitor(app).get("/api/v1/nothing"), 404)

    assert problem["code"] == "not_found"


def test_a_wrong_method_is_405_and_says_which_are_right(app: Flask) -> None:
    answer = visitor(app).delete("/api/v1/cart")

    problem_of(answer, 405)
    assert "GET" in answer.headers["Allow"]
