"""Changes come from the shop's own pages only."""

import re

import pytest
from flask import Flask

from tests.cart.shelf import available, shelve, visitor

pytestmark = pytest.mark.only_on("sqlite")  # the same on each database

FOREIGN = ["https://evil.example", "http://localhost.evil.example", "http://evil.example/localhost", "null", "",
           "http://localhost:81", "localhost", "http://[", "http://evil.example@localhost:1", "file://"]  # fmt: skip
CHANGES = [
    ("POST", "/api/v1/cart/items"), ("PUT", "/api/v1/cart/items/MUG"), ("DELETE", "/api/v1/cart/items/MUG"),
    ("POST", "/api/v1/cart/items/MUG/extend"), ("POST", "/api/v1/orders"), ("POST", "/api/v1/orders/x/cancel"),
]  # fmt: skip


@pytest.mark.parametrize("method, path", CHANGES)
@pytest.mark.parametrize("origin", [None, "https://evil.example"])
def test_no_change_of_the_api_is_made_without_a_matching_origin(
    app: Flask, method: str, path: str, origin: str | None
) -> None:
    shelve(MUG=5)

    answer = visitor(app, origin).open(path, method=method, json={"sku": "MUG", "quantity": 1})

    assert (answer.status_code, answer.get_json()["code"]) == (403, "cross_origin")
    assert answer.mimetype == "application/problem+json"
    assert available(app, "MUG") == 5


@pytest.mark.parametrize("path", ["/cart/items", "/cart/items/MUG/quantity", "/cart/items/MUG/extend", "/checkout",
                                  "/cart/items/MUG/remove", "/cart/items/MUG/again", "/orders/x/cancel"])  # fmt: skip
@pytest.mark.parametrize("origin", [None, "https://evil.example"])
def test_no_form_is_taken_from_another_site(app: Flask, path: str, origin: str | None) -> None:
    shelve(MUG=5)

    answer = visitor(app, origin).post(path, data={"sku": "MUG", "quantity": "1"})

    assert answer.status_code == 403
    assert answer.mimetype == "text/html"
    assert available(app, "MUG") == 5


@pytest.mark.parametrize("origin", FOREIGN)
def test_an_origin_that_only_looks_like_ours_is_foreign(app: Flask, origin: str) -> None:
    shelve(MUG=5)

    answer = visitor(app, origin).add("MUG")

    assert (answer.status_code, answer.get_json()["code"]) == (403, "cross_origin")


def csrf_token(page: str) -> str:
    found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
    assert found
    return found[1]


def test_a_form_with_a_valid_token_is_taken_without_origin(app: Flask) -> None:
    shelve(MUG=5)
    ann = visitor(app)
    ann.add("MUG")
    token = csrf_token(ann.get("/checkout").text)
    del ann.environ_base["HTTP_ORIGIN"]

    answer = ann.post("/cart/items", data={"sku": "MUG", "quantity": "1", "csrf_token": token})

    assert answer.status_code == 303
    assert ann.cart() == {"MUG": 2}


def test_a_valid_token_does_not_excuse_a_foreign_origin(app: Flask) -> None:
    shelve(MUG=5)
    ann = visitor(app)
    ann.add("MUG")
    token = csrf_token(ann.get("/checkout").text)
    ann.environ_base["HTTP_ORIGIN"] = "https://evil.example"

    answer = ann.post("/cart/items", data={"sku": "MUG", "quantity": "1", "csrf_token": token})

    assert answer.status_code == 403


@pytest.mark.parametrize("token", ["", "wrong", "of somebody else"])
def test_a_token_that_is_not_ones_own_is_not_taken(app: Flask, token: str) -> None:
    shelve(MUG=5)
    ann, ben = visitor(app), visitor(app)
    for who in (ann, ben):
        who.add("MUG")
    if token == "of somebody else":
        token = csrf_token(ben.get("/checkout").text)
    del ann.environ_base["HTTP_ORIGIN"]

    answer = ann.post("/cart/items", data={"sku": "MUG", "quantity": "1", "csrf_token": token})

    assert answer.status_code == 403
    assert ann.cart() == {"MUG": 1}


def test_reading_needs_no_origin(app: Flask) -> None:
    shelve(MUG=5)
    reader = visitor(app, "https://evil.example")

    answers = [reader.get(path) for path in ("/", "/products/mug", "/api/v1/cart", "/api/v1/stock?sku=MUG")]

    assert [answer.status_code for answer in answers] == [200] * 4


def test_a_forged_cookie_is_nobody(app: Flask) -> None:
    shelve(MUG=5)
    ann = visitor(app)
    ann.add("MUG")
    cookie = ann.get_cookie("session")
    assert cookie
    ann.set_cookie("session", cookie.value[:-4] + "AAAA")

    assert ann.cart() == {}


@pytest.mark.parametrize("path", ["/", "/cart", "/nothing", "/api/v1/cart", "/api/v1/nothing"])
def test_every_answer_carries_the_headers_that_keep_it_ours(app: Flask, path: str) -> None:
    headers = visitor(app).get(path).headers

    assert "default-src 'self'" in headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert "unsafe-inline" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("method, path", [
    ("GET", "/products/%00"), ("GET", "/api/v1/orders/%00"), ("PUT", "/api/v1/cart/items/a%00b"),
    ("POST", "/cart/items/%00/quantity"),
])  # fmt: skip
def test_an_address_with_a_nul_leads_nowhere(app: Flask, method: str, path: str) -> None:
    answer = visitor(app).open(path, method=method, json={"quantity": 1})

    assert answer.status_code == 404


def test_a_field_with_a_nul_is_refused(app: Flask) -> None:
    answer = visitor(app).post("/cart/items", data={"sku": "a\x00b", "quantity": "1"})

    assert answer.status_code == 422
    assert answer.mimetype == "text/html"
