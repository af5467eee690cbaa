"""Checkout and order as pages and forms."""

import re
from functools import partial

import pytest
from flask import Flask

from storefront.stock import reservations
from storefront.stock.stockroom import Stockroom
from tests.cart.shelf import Visitor, all_at_once, available, let_holds_run_out, shelve, visitor

pytestmark = pytest.mark.only_on("sqlite")  # what SQL does for them, the API's tests do on both


@pytest.fixture
def ann(app: Flask) -> Visitor:
    """A shopper who holds one mug at 10.00, of five."""
    shelve(MUG=5)
    ann = visitor(app)
    ann.add("MUG")
    return ann


def hidden_fields(page: str) -> dict[str, str]:
    """The hidden fields of a page's forms."""
    return {
        found[1]: value[1]
        for tag in re.findall(r"<input[^>]*hidden[^>]*>", page)
        if (found := re.search(r'name="([^"]*)"', tag)) and (value := re.search(r'value="([^"]*)"', tag))
    }


def fill_in(page: str, **changed: str) -> dict[str, str]:
    """The checkout form of `page`, filled in."""
    fields = {
        "email": "ann@example.org", "name": "Ann Example", "line1": "Hill Street 1", "city": "Ulm",
        "postal_code": "89073", "country": "DE",
    }  # fmt: skip
    return {**hidden_fields(page), **fields, **changed}


def test_an_empty_cart_leads_from_the_checkout_to_the_cart(app: Flask) -> None:
    answer = visitor(app).get("/checkout")

    assert (answer.status_code, answer.location) == (303, "/cart")


def test_the_form_places_the_order_and_leads_to_its_page(app: Flask, ann: Visitor) -> None:
    page = ann.get("/checkout").text

    answer = ann.post("/checkout", data=fill_in(page))

    assert answer.status_code == 303
    order = ann.get(answer.location).text
    assert "Thank you, Ann Example." in order
    assert "€10.00" in order
    assert "On invoice" in order
    assert available(app, "MUG") == 4


def test_the_form_sent_twice_leads_to_the_same_order(app: Flask, ann: Visitor) -> None:
    fields = fill_in(ann.get("/checkout").text)

    first, second = ann.post("/checkout", data=fields), ann.post("/checkout", data=fields)

    assert first.location == second.location
    assert first.location.startswith("/orders/")
    assert available(app, "MUG") == 4


def test_the_form_sent_eight_times_at_once_leads_to_one_order(app: Flask, ann: Visitor) -> None:
    fields = fill_in(ann.get("/checkout").text)
    tabs = [visitor(app) for _ in range(8)]
    for tab in tabs:
        tab.set_cookie("session", ann.get_cookie("session").value)  # type: ignore[union-attr]

    answers = all_at_once([partial(tab.post, "/checkout", data=fields) for tab in tabs])

    assert len({answer.location for answer in answers}) == 1
    assert str(answers[0].location).startswith("/orders/")
    assert available(app, "MUG") == 4


def test_a_nul_in_a_field_is_no_crash(ann: Visitor) -> None:
    answer = ann.post("/checkout", data=fill_in(ann.get("/checkout").text, name="Ann\x00"))

    assert answer.status_code == 422


def test_a_wrong_field_is_named_and_what_was_typed_stays(ann: Visitor) -> None:
    answer = ann.post("/checkout", data=fill_in(ann.get("/checkout").text, email="wrong", city=""))

    assert answer.status_code == 422
    assert "This is not an e-mail address." in answer.text
    assert "Please fill in: city." in answer.text
    assert 'value="Ann Example"' in answer.text


def test_what_was_typed_is_shown_as_text(ann: Visitor) -> None:
    page = ann.post("/checkout", data=fill_in(ann.get("/checkout").text, email="x", name='"><script>')).text

    assert "<script>" not in page.replace("<script type", "").replace("<script src", "")


def test_a_changed_total_is_said_on_the_page_and_the_next_try_is_good(ann: Visitor) -> None:
    first = ann.post("/checkout", data=fill_in(ann.get("/checkout").text, expected_amount="9.00"))

    second = ann.post("/checkout", data=fill_in(first.text))

    assert first.status_code == 409
    assert "10.00" in first.text
    assert second.location.startswith("/orders/")


@pytest.mark.parametrize("amount", ["", "free", "NaN", "Infinity", "-1", "1e999999999"])
def test_a_tampered_total_is_refused_in_words(ann: Visitor, amount: str) -> None:
    answer = ann.post("/checkout", data=fill_in(ann.get("/checkout").text, expected_amount=amount))

    assert answer.status_code in (409, 422)
    assert answer.mimetype == "text/html"
    assert ann.cart() == {"MUG": 1}


def test_a_form_without_its_key_is_refused_in_words(ann: Visitor) -> None:
    fields = fill_in(ann.get("/checkout").text)
    del fields["idempotency_key"]

    answer = ann.post("/checkout", data=fields)

    assert answer.status_code in (409, 422)
    assert ann.cart() == {"MUG": 1}


def test_a_hold_that_ran_out_while_typing_is_held_again(app: Flask, room: Stockroom, ann: Visitor) -> None:
    fields = fill_in(ann.get("/checkout").text)
    let_holds_run_out(room)
    reservations.expire_all_due(room)

    answer = ann.post("/checkout", data=fields)

    assert answer.location.startswith("/orders/")
    assert available(app, "MUG") == 4


def test_a_hold_that_ran_out_while_typing_and_is_gone_is_said(app: Flask, room: Stockroom) -> None:
    shelve(MUG=1)
    ann, ben = visitor(app), visitor(app)
    ann.add("MUG")
    fields = fill_in(ann.get("/checkout").text)
    let_holds_run_out(room)
    reservations.expire_all_due(room)
    ben.add("MUG")

    answer = ann.post("/checkout", data=fields, follow_redirects=True)

    assert "has run out and it cannot be held again" in answer.text


def test_the_order_can_be_cancelled_on_its_page(app: Flask, ann: Visitor) -> None:
    order = ann.post("/checkout", data=fill_in(ann.get("/checkout").text)).location

    answer = ann.post(f"{order}/cancel", follow_redirects=True)

    assert "Your order is cancelled." in answer.text
    assert 'data-order-status="cancelled"' in answer.text
    assert "Cancel this order" not in answer.text
    assert available(app, "MUG") == 5


def test_an_unknown_order_is_a_page_that_says_so(app: Flask) -> None:
    page = visitor(app).get("/orders/nobody")

    assert page.status_code == 404
    assert "This order does not exist." in page.text
