"""Many requests at the same moment."""

from functools import partial

from flask import Flask

from storefront.stock.adjustments import set_limit
from storefront.stock.stockroom import Stockroom
from storefront.stock.verify import verify
from tests.cart.shelf import Visitor, all_at_once, available, shelve, visitor


def known(app: Flask, count: int, shopper: Visitor | None = None) -> list[Visitor]:
    """Browsers with cookies: of one shopper, or each of its own."""
    browsers = [visitor(app) for _ in range(count)]
    for browser in browsers:
        cookie = (shopper or browser).get_cookie("session")
        if shopper and cookie:
            browser.set_cookie("session", cookie.value)
    return browsers


def somebody(app: Flask) -> Visitor:
    """A shopper with a cookie and an empty cart."""
    shelve(COOKIE=1)
    who = visitor(app)
    who.add("COOKIE")
    who.delete("/api/v1/cart/items/COOKIE")
    return who


def test_the_last_units_go_to_exactly_as_many_shoppers(app: Flask, room: Stockroom) -> None:
    shelve(MUG=5)

    answers = all_at_once([partial(who.add, "MUG") for who in known(app, 16)])

    codes = sorted((answer.status_code, answer.get_json().get("code", "")) for answer in answers)
    assert codes == [(201, "")] * 5 + [(409, "sold_out")] * 11
    assert verify(room, 2) == []


def test_one_click_sent_ten_times_at_once_holds_once(app: Flask, room: Stockroom) -> None:
    ann = somebody(app)
    shelve(MUG=50)

    answers = all_at_once([partial(tab.add, "MUG", 1, click_id="click") for tab in known(app, 10, ann)])

    assert {answer.status_code for answer in answers} == {201}
    assert ann.cart() == {"MUG": 1}
    assert verify(room, 2) == []


def test_ten_tabs_with_the_same_old_page_hold_once(app: Flask) -> None:
    ann = somebody(app)
    shelve(MUG=50)

    all_at_once([partial(tab.add, "MUG", 1, seen=0) for tab in known(app, 10, ann)])

    assert ann.cart() == {"MUG": 1}
    assert available(app, "MUG") == 49


def test_the_limit_holds_against_parallel_requests(app: Flask, room: Stockroom) -> None:
    ann = somebody(app)
    shelve(MUG=50)
    set_limit(room, "MUG", 2)

    answers = all_at_once([partial(tab.add, "MUG") for tab in known(app, 10, ann)])

    assert sorted(answer.status_code for answer in answers) == [201] * 2 + [409] * 8
    assert {answer.get_json()["code"] for answer in answers if answer.status_code == 409} == {"limit_reached"}
    assert ann.cart() == {"MUG": 2}


def test_releases_in_parallel_give_the_units_back_once(app: Flask, room: Stockroom) -> None:
    shelve(MUG=5)
    ann = visitor(app)
    ann.add("MUG", 3)

    all_at_once([partial(tab.delete, "/api/v1/cart/items/MUG") for tab in known(app, 8, ann)])

    assert available(app, "MUG") == 5
    assert verify(room, 2) == []


def test_quantities_set_in_parallel_leave_one_of_them(app: Flask, room: Stockroom) -> None:
    ann = somebody(app)
    shelve(MUG=50)

    all_at_once([
        partial(tab.put, "/api/v1/cart/items/MUG", json={"quantity": quantity})
        for quantity, tab in enumerate(known(app, 8, ann), start=1)
    ])  # fmt: skip

    assert ann.cart()["MUG"] in range(1, 9)
    assert available(app, "MUG") == 50 - ann.cart()["MUG"]
    assert verify(room, 2) == []
