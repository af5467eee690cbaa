"""The waiting list over HTTP, as form and JSON, and the page behind the links in mails."""

from collections.abc import Callable

import pytest
from flask import Flask

from storefront import create_app
from storefront.core.config import Settings
from storefront.stock.stockroom import Stockroom
from storefront.waiting_room import sales, tick
from storefront.waiting_room.models import Sale
from storefront.waiting_room.waiting_list import entries
from tests.cart.shelf import Visitor, visitor


def ask(somebody: Visitor, email: object = "ada@example.org", slug: str = "drop") -> tuple[int, dict[str, object]]:
    answer = somebody.post(f"/api/v1/sales/{slug}/waiting-list", json={"email": email})
    return answer.status_code, answer.get_json()


def test_the_answer_is_the_same_whether_or_not_the_address_is_known(
    app: Flask, sale_of: Callable[..., Sale], enlist: Callable[..., None]
) -> None:
    sale_of()
    enlist("ada")

    known, unknown = ask(visitor(app)), ask(visitor(app), "bob@example.org")

    assert known == unknown
    assert known[0] == 202


def test_a_form_asks_as_well_and_leads_back_to_the_sale(
    app: Flask, room: Stockroom, sale_of: Callable[..., Sale]
) -> None:
    sale = sale_of()

    answer = visitor(app).post("/sales/drop/waiting-list", data={"email": "Ada@example.org"})

    assert (answer.status_code, answer.headers["Location"]) == (303, "/sales/drop#waiting-list")
    assert entries.count(room, sale)["asked"] == 1


def test_the_address_is_known_next_time(app: Flask, sale_of: Callable[..., Sale]) -> None:
    sale_of()
    ada = visitor(app)
    ask(ada)

    with ada.session_transaction() as session:
        assert session["email"] == "ada@example.org"


@pytest.mark.parametrize("email", ["ada", None, 7, "a@b\r\nBcc: c@d.org"])
def test_what_is_no_address_is_refused(app: Flask, sale_of: Callable[..., Sale], email: object) -> None:
    sale_of()

    status, problem = ask(visitor(app), email)

    assert (status, problem["code"], problem["field"]) == (422, "invalid_input", "email")


def test_a_wrong_address_in_the_form_leads_back_with_the_reason(app: Flask, sale_of: Callable[..., Sale]) -> None:
    sale_of()
    ada = visitor(app)

    answer = ada.post("/sales/drop/waiting-list", data={"email": "ada"})

    assert answer.status_code == 303
    with ada.session_transaction() as session:
        assert "not an e-mail address" in session["_flashes"][0][1]


def test_an_unknown_sale_has_no_list(app: Flask) -> None:
    assert ask(visitor(app), slug="none")[1]["code"] == "unknown_sale"


def test_another_site_cannot_put_anybody_on_the_list(app: Flask, sale_of: Callable[..., Sale]) -> None:
    sale_of()

    assert ask(visitor(app, "https://evil.example"))[0] == 403


def test_looking_at_the_link_confirms_nothing_and_its_buttons_do(
    app: Flask, room: Stockroom, sale_of: Callable[..., Sale], token_of: Callable[[str], str]
) -> None:
    sale = sale_of()
    ada = visitor(app)
    ask(ada)
    path = f"/waiting-list/{token_of('ada@example.org')}"

    looked = ada.get(path)
    after_looking = entries.count(room, sale)
    confirmed = ada.post(f"{path}/confirm", follow_redirects=True)
    after_confirming = entries.count(room, sale)
    left = ada.post(f"{path}/leave")

    assert (looked.status_code, after_looking["confirmed"]) == (200, 0)
    assert f'action="{path}/confirm"' in looked.text
    assert ("You are on the list" in confirmed.text, after_confirming["confirmed"]) == (True, 1)
    assert ("You are off the list" in left.text, entries.count(room, sale)["asked"]) == (True, 0)
    assert ada.get(path).status_code == 404


@pytest.mark.only_on("postgres")
def test_a_shop_that_sends_no_mail_has_no_list(
    settings_of: Callable[..., Settings], sale_of: Callable[..., Sale]
) -> None:
    sale_of()
    silent = create_app(settings_of(APP_ENV="production", SECRET_KEY="long and random"))

    assert ask(visitor(silent))[1]["code"] == "no_waiting_list"


def test_the_address_given_at_joining_is_known_here(app: Flask, room: Stockroom, sale_of: Callable[..., Sale]) -> None:
    sale_of(units=1, one_per_email=True)
    ada = visitor(app)

    ada.post("/api/v1/sales/drop/tickets", json={"email": "ada@example.org"})

    assert 'value="ada@example.org"' in ada.get("/sales/drop").text


def test_the_page_of_a_sale_has_the_form_while_it_is_sold_out_and_when_it_is_over(
    app: Flask, room: Stockroom, sale_of: Callable[..., Sale]
) -> None:
    sale_of(units=5)
    shown = [form_is_shown(app)]
    for verb in ("pause", "close"):
        sales.change_state(room, "drop", verb, "ops")
        tick.tick_all(room)
        shown.append(form_is_shown(app))

    assert shown == [False, False, True]


def form_is_shown(app: Flask) -> bool:
    page = visitor(app).get("/sales/drop").text
    around = page[: page.index('id="waiting-list"')].rpartition("<div")[2]
    return "hidden" not in around
