"""The sales at /ops/sales/: what an operator sees and does there, behind the login, with forms."""

import csv
import io
import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from storefront import create_app
from storefront.core.config import Settings
from storefront.core.times import iso
from storefront.stock.stockroom import Stockroom
from storefront.waiting_room import joining, keys, queue, sales, tick
from storefront.waiting_room.joining import Joiner
from tests.cart.shelf import ORIGIN, Visitor, visitor
from tests.ops.test_login import operator

NEW = {
    "slug": "drop", "title": "The drop", "skus": "MUG\nCAP\n", "opens": "", "lobby_minutes": "0", "rate": "5",
    "active_most": "3", "limit_units": "2", "pass_seconds": "300", "grace_seconds": "60",
}  # fmt: skip


@pytest.fixture
def shop(app: Flask, stocked: Callable[..., Stockroom], settings_of: Callable[..., Settings]) -> Flask:
    """A shop with open ops pages, and with MUG and CAP."""
    stocked(MUG=5, CAP=5)
    return create_app(settings_of(OPS_USERNAME="grace", OPS_PASSWORD="secret"))


class Operator:
    """An operator who sends the forms of pages as a browser does, CSRF token and all."""

    def __init__(self, shop: Flask):
        self.browser: Visitor = operator(shop, "grace", origin=None)  # so that nothing but the token can help

    def see(self, path: str) -> str:
        answer = self.browser.get(path)
        assert answer.status_code == 200, answer.text
        return answer.text

    def send(self, page: str, action: str, **fields: Any) -> str:
        """Open a page, send one of its forms, return the page it leads to."""
        token = re.search(r'name="csrf_token" type="hidden" value="([^"]+)"', self.see(page))
        assert token
        answer = self.browser.post(action, data={"csrf_token": token[1], **fields}, follow_redirects=True)
        return answer.text

    def announce(self, **changed: str) -> str:
        return self.send("/ops/new-sale", "/ops/new-sale", **{**NEW, **changed})

    def press(self, verb: str) -> str:
        return self.send("/ops/sales/drop", f"/ops/sales/drop/{verb}")


@pytest.fixture
def grace(shop: Flask) -> Operator:
    return Operator(shop)


def buttons(page: str) -> list[str]:
    """The verbs a page offers."""
    return [verb for verb in re.findall(r'action="/ops/sales/drop/(\w+)"', page) if verb in sales.VERBS]


def figures(page: str) -> dict[str, str]:
    """Names and values as they stand on a page."""
    found = re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", page)
    return {name: re.sub(r"<.*?>", "", value) for name, value in found}


def test_without_a_sale_the_list_says_so_and_leads_to_a_new_one(grace: Operator) -> None:
    page = grace.see("/ops/sales/")

    assert "There has been no sale yet" in page
    assert 'href="/ops/new-sale"' in page
    assert 'href="/ops/sales/"' in grace.see("/ops/")


def test_the_form_announces_a_sale_and_the_list_shows_it(room: Stockroom, grace: Operator) -> None:
    page = grace.announce()

    sale = sales.find(room, "drop")
    assert "The drop is announced." in page
    assert (sale.skus, sale.rate, sale.active_most, sale.limit_units) == (["CAP", "MUG"], 5.0, 3, 2)
    assert "/ops/sales/drop" in grace.see("/ops/sales/")


def test_the_time_of_the_form_is_utc(room: Stockroom, grace: Operator) -> None:
    grace.announce(opens="2036-11-27T08:00", lobby_minutes="30", shuffle="y")

    sale = sales.find(room, "drop")
    assert iso(sale.opens_at_ms) == "2036-11-27T08:00:00.000Z"
    assert (sale.lobby_seconds, sale.shuffle) == (1800, True)


@pytest.mark.parametrize("changed, words", [
    ({"slug": ""}, "Give a slug."), ({"slug": "The Drop"}, "slug has to be"), ({"skus": "NONE"}, "no SKU"),
    ({"skus": " \n"}, "at least one SKU"), ({"rate": "fast"}, "Not a valid float"), ({"rate": "nan"}, "rate has to be"),
    ({"opens": "soon"}, "Not a valid datetime"), ({"active_most": ""}, "Give a number."), ({"shuffle": "y"}, "lobby"),
    ({"lobby_minutes": "9" * 30}, "lobby_seconds has to be"),
])  # fmt: skip
def test_what_is_wrong_is_said_and_what_was_typed_stays(
    room: Stockroom, grace: Operator, changed: dict[str, str], words: str
) -> None:
    page = grace.announce(**changed)

    assert words in page
    assert "The drop" in page
    assert sales.all_sales(room) == []


def test_only_the_buttons_of_the_state_are_shown_and_each_does_its_work(room: Stockroom, grace: Operator) -> None:
    offered = [buttons(grace.announce())]

    for verb in ("open", "pause", "resume", "drain", "close"):
        offered.append(buttons(grace.press(verb)))

    assert offered == [
        ["open", "close"], ["pause", "drain", "close"], ["resume", "drain", "close"], ["pause", "drain", "close"],
        ["pause", "resume", "close"], [],
    ]  # fmt: skip
    assert sales.find(room, "drop").state == "closed"


def test_a_button_that_comes_too_late_is_refused_with_the_reason(room: Stockroom, grace: Operator) -> None:
    grace.announce()
    sales.change_state(room, "drop", "open", "another")

    page = grace.press("open")

    assert "The sale &#39;drop&#39; is open" in page


def test_every_change_is_in_the_audit_with_the_name_of_the_operator(room: Stockroom, grace: Operator) -> None:
    grace.announce()
    grace.press("open")
    grace.send("/ops/sales/drop", "/ops/sales/drop/pace", rate="50", active_most="7")
    page = grace.send("/ops/sales/drop", "/ops/sales/drop/message", message="Two minutes <more>")

    found = [(change.who, change.what.partition(":")[0]) for change in sales.changes(room, sales.find(room, "drop"))]
    assert found == [("grace", "message"), ("grace", "pace"), ("grace", "open"), ("grace", "created")]
    assert "pace: rate=50.0, active=7" in page
    assert "Two minutes &lt;more&gt;" in page


@pytest.mark.parametrize("fields", [
    {"rate": "0", "active_most": "7"}, {"rate": "x", "active_most": "7"}, {"rate": "5"},
    {"rate": "5", "active_most": "0"},
], ids=str)  # fmt: skip
def test_a_pace_that_is_none_is_refused(room: Stockroom, grace: Operator, fields: dict[str, str]) -> None:
    grace.announce()

    page = grace.send("/ops/sales/drop", "/ops/sales/drop/pace", **fields)

    assert "notice--error" in page
    assert (sales.find(room, "drop").rate, sales.find(room, "drop").active_most) == (5.0, 3)


@pytest.mark.parametrize("path", ["new-sale", "sales/drop/open", "sales/drop/pace", "sales/drop/message"])
def test_without_the_token_of_the_page_nothing_is_changed(room: Stockroom, grace: Operator, path: str) -> None:
    grace.announce()

    answers = [
        grace.browser.post(f"/ops/{path}", data={**NEW, "slug": "other", "message": "Hello"}, headers=headers)
        for headers in ({}, {"Origin": "https://evil.example"}, {"Origin": ORIGIN})
    ]

    assert [answer.status_code for answer in answers[:2]] == [403, 403]
    assert len(sales.all_sales(room)) == 1
    assert len(sales.changes(room, sales.find(room, "drop"))) == 1


@pytest.mark.parametrize(
    "path", ["sales/", "new-sale", "sales/drop", "sales/drop/figures", "sales/drop/admissions.csv"]
)
def test_nobody_sees_it_without_the_login(shop: Flask, path: str) -> None:
    assert visitor(shop).get(f"/ops/{path}").status_code == 401
    assert visitor(shop).post(f"/ops/{path}").status_code == 401


@pytest.mark.parametrize("path", ["sales/none", "sales/none/figures", "sales/none/admissions.csv"])
def test_an_unknown_sale_is_not_found(grace: Operator, path: str) -> None:
    assert grace.browser.get(f"/ops/{path}").status_code == 404


def test_an_unknown_verb_is_not_found(grace: Operator) -> None:
    grace.announce()

    assert "404" in grace.press("burn")


def let_in(room: Stockroom, *shoppers: str) -> None:
    joining.join(room, "drop", [Joiner("drop", shopper) for shopper in shoppers])
    tick.tick_all(room)


def test_the_figures_show_the_queue_as_it_is(room: Stockroom, grace: Operator) -> None:
    grace.announce(skus="MUG", active_most="2", limit_units="1")
    building = grace.see("/ops/sales/drop")
    tick.tick_all(room)
    tick.tick_all(room)
    let_in(room, "ada", "bob", "cyd")

    found = figures(grace.see("/ops/sales/drop/figures"))

    assert "cannot be seen just now" in building
    assert {name: found[name] for name in ("Waiting", "In", "Available", "Joined", "Admitted")} == {
        "Waiting": "1", "In": "2 of 2", "Available": "5", "Joined": "3", "Admitted": "2",
    }  # fmt: skip


def test_the_csv_has_a_row_for_each_admission(room: Stockroom, grace: Operator) -> None:
    grace.announce(skus="MUG", limit_units="1")
    tick.tick_all(room)
    let_in(room, "ada", "bob")
    queue.leave(room, "drop", "ada")
    tick.tick_all(room)

    answer = grace.browser.get("/ops/sales/drop/admissions.csv")

    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert answer.mimetype == "text/csv"
    assert [(row["number"], row["shopper"], row["ordinal"], row["state"]) for row in rows] == [
        ("1", "ada", "1", "left"), ("2", "bob", "2", "granted"),
    ]  # fmt: skip


def test_the_page_stands_while_redis_has_lost_the_queue(room: Stockroom, grace: Operator) -> None:
    grace.announce()
    room.redis.delete(keys.head("drop"))

    assert "cannot be seen just now" in grace.see("/ops/sales/drop")
    assert "queue is being checked" in grace.see("/ops/sales/")
