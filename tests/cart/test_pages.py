"""The cart's pages and forms, as a browser without scripts uses them."""

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from storefront import create_app
from storefront.core.config import Settings
from storefront.stock.stockroom import Stockroom
from tests.cart.shelf import ORIGIN, available, let_holds_run_out, shelve, visitor

pytestmark = pytest.mark.only_on("sqlite")  # what SQL does for them, the API's tests do on both


def test_the_empty_cart_is_a_page(app: Flask) -> None:
    page = visitor(app).get("/cart")

    assert page.status_code == 200
    assert "Nothing in here yet" in page.text


def test_the_add_form_holds_and_leads_to_the_cart(app: Flask) -> None:
    shelve(MUG=5)
    ann = visitor(app)

    answer = ann.post("/cart/items", data={"sku": "MUG", "quantity": "2", "click_id": "c", "seen": "0"})

    assert (answer.status_code, answer.location) == (303, "/cart")
    page = ann.get("/cart").text
    assert "In your cart, held for you." in page
    assert "€20.00" in page
    assert ann.cart() == {"MUG": 2}


def test_the_same_form_sent_twice_holds_once(app: Flask) -> None:
    shelve(MUG=5)
    ann = visitor(app)

    for _ in range(2):
        ann.post("/cart/items", data={"sku": "MUG", "quantity": "1", "click_id": "c", "seen": "0"})

    assert ann.cart() == {"MUG": 1}


def browse(who: FlaskClient, path: str = "/cart/items", **form: str) -> TestResponse:
    """Send a form as a browser does: Werkzeug's client does not send the body again where it is told to."""
    navigate = {"Origin": ORIGIN, "Sec-Fetch-Mode": "navigate"}
    answer = who.post(path, data=form, headers=navigate)
    return who.post(answer.location, data=form, headers=navigate) if answer.status_code == 307 else answer


def test_a_newcomer_who_clicks_again_before_the_first_answer_holds_once(app: Flask) -> None:
    shelve(MUG=5)
    ann = visitor(app)
    form = {"sku": "MUG", "quantity": "1", "click_id": "c", "seen": "0"}
    browser_drops = visitor(app).post("/cart/items", data=form, headers={"Sec-Fetch-Mode": "navigate"})

    answer = browse(ann, **form)

    assert browser_drops.status_code == 307
    assert (answer.status_code, answer.location) == (303, "/cart")
    assert ann.cart() == {"MUG": 1}
    assert available(app, "MUG") == 4


def test_who_sends_the_form_of_another_has_a_cart_of_his_own(app: Flask) -> None:
    shelve(MUG=5)
    ann, eve = visitor(app), visitor(app)

    for each in (ann, eve):
        browse(each, sku="MUG", quantity="1", click_id="c", seen="0")

    assert (ann.cart(), eve.cart()) == ({"MUG": 1}, {"MUG": 1})
    assert available(app, "MUG") == 3


def test_each_form_of_a_newcomer_comes_again_to_its_own_address(app: Flask) -> None:
    shelve({"A B/C?": 5})
    ann = visitor(app)

    browse(ann, "/cart/items/A%20B%2FC%3F/quantity", quantity="2")

    assert ann.cart() == {"A B/C?": 2}


def test_a_browser_without_cookies_is_told_so_and_holds_nothing(app: Flask) -> None:
    shelve(MUG=5)

    answer = browse(app.test_client(use_cookies=False), sku="MUG", quantity="1")

    assert answer.status_code == 403
    assert "Your cart is kept by a cookie" in answer.text
    assert available(app, "MUG") == 5


def test_a_refused_add_goes_back_to_the_product_and_says_why(app: Flask) -> None:
    shelve(MUG=0)
    ann = visitor(app)

    answer = ann.post("/cart/items", data={"sku": "MUG", "quantity": "1", "back": "/products/mug?sku=MUG"})

    assert (answer.status_code, answer.location) == (303, "/products/mug?sku=MUG")
    assert "somebody else took the last one" in ann.get(answer.location).text


def test_a_wrong_quantity_in_a_form_is_said_in_words(app: Flask) -> None:
    shelve(MUG=5)
    ann = visitor(app)

    ann.post("/cart/items", data={"sku": "MUG", "quantity": "many"})

    assert "Give a whole number from 1" in ann.get("/cart").text


def test_a_message_is_shown_once(app: Flask) -> None:
    shelve(MUG=5)
    ann = visitor(app)
    ann.post("/cart/items", data={"sku": "MUG", "quantity": "1"})

    first, second = ann.get("/cart").text, ann.get("/cart").text

    assert "In your cart, held for you." in first
    assert "In your cart, held for you." not in second


@pytest.mark.parametrize("back", [
    "https://evil.example/", "//evil.example/", "/\\evil.example/", "\\\\evil.example", "/\t/evil.example",
    "/\t\\evil.example", "\t//evil.example", " //evil.example", "javascript:alert(1)", "/\n/evil.example", "/\t/[",
    "http:evil.example", "///evil.example", "",
])  # fmt: skip
def test_a_way_back_to_another_site_is_not_gone(app: Flask, back: str) -> None:
    shelve(MUG=0)

    answer = visitor(app).post("/cart/items", data={"sku": "MUG", "quantity": "1", "back": back})

    assert answer.status_code == 303
    assert answer.location.startswith("/")
    assert not answer.location.startswith(("//", "/\\"))
    assert not set(answer.location) & set("\t\r\n\\")  # browsers drop the first three and read the last as /


def test_each_button_of_the_cart_works(app: Flask, room: Stockroom) -> None:
    shelve(MUG=5)
    ann = visitor(app)
    ann.add("MUG", 1)

    ann.post("/cart/items/MUG/quantity", data={"quantity": "3"})
    more = ann.cart()
    ann.post("/cart/items/MUG/extend")
    extended = ann.get("/cart").text
    let_holds_run_out(room)
    expired = ann.get("/cart").text
    ann.post("/cart/items/MUG/again")
    again = ann.cart()
    ann.post("/cart/items/MUG/remove")

    assert more == again == {"MUG": 3}
    assert "You have more time." in extended
    assert 'data-state="expired"' in expired
    assert ann.cart() == {}
    assert available(app, "MUG") == 5


def test_the_cart_counts_down_from_the_servers_time(app: Flask) -> None:
    shelve(MUG=5)
    ann = visitor(app)
    ann.add("MUG", 1)

    page = ann.get("/cart").text

    assert "10 minutes" in page  # HOLD_SECONDS
    assert 'data-units="1"' in page


def test_a_title_with_markup_is_shown_as_text(app: Flask) -> None:
    shelve({"<b>": 5})
    ann = visitor(app)
    ann.add("<b>")

    page = ann.get("/cart").text

    assert "The <b>" not in page
    assert "The &lt;b&gt;" in page


@pytest.mark.parametrize("path, status", [
    ("/", 200), ("/products/mug", 200), ("/cart", 200), ("/checkout", 303),
    ("/nothing", 404), ("/products/none", 404), ("/orders/none", 404),
])  # fmt: skip
def test_every_page_is_a_page(app: Flask, path: str, status: int) -> None:
    shelve(MUG=5)

    page = visitor(app).get(path)

    assert page.status_code == status
    assert page.mimetype == "text/html"
    assert "Traceback" not in page.text


@pytest.fixture
def dark(settings_of: Callable[..., Settings]) -> Flask:
    """A shop whose Redis is not there."""
    return create_app(settings_of(REDIS_URL="unix:///nowhere/redis.sock"))


def test_without_redis_the_shop_window_stays_open(app: Flask, dark: Flask) -> None:
    shelve(MUG=5)

    home, product = visitor(dark).get("/"), visitor(dark).get("/products/mug")

    assert (home.status_code, product.status_code) == (200, 200)
    assert "The mug" in home.text
    assert "Sold out" not in home.text + product.text  # it is not known to be


def test_without_redis_a_change_is_503_with_a_time_to_retry(app: Flask, dark: Flask) -> None:
    shelve(MUG=5)

    answer = visitor(dark).add("MUG")

    assert answer.status_code == 503
    assert answer.mimetype == "application/problem+json"
    assert int(answer.headers["Retry-After"]) >= 1


def test_without_redis_the_full_cart_is_a_readable_503(app: Flask, dark: Flask) -> None:
    shelve(MUG=5)
    ann, ann_later = visitor(app), visitor(dark)
    ann.add("MUG")
    ann_later.set_cookie("session", ann.get_cookie("session").value)  # type: ignore[union-attr]

    page = ann_later.get("/cart")

    assert page.status_code == 503
    assert page.mimetype == "text/html"
    assert int(page.headers["Retry-After"]) >= 1
    assert "Back to the shop" in page.text
    assert "Traceback" not in page.text


def test_without_redis_a_form_says_so_and_changes_nothing(app: Flask, dark: Flask) -> None:
    shelve(MUG=5)

    answer = visitor(dark).post("/cart/items", data={"sku": "MUG", "quantity": "1", "back": "/products/mug"})

    assert answer.status_code in (303, 503)
    assert available(app, "MUG") == 5
