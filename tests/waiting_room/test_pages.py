"""The pages of a sale over plain HTTP, as a browser without scripts gets them."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from storefront.stock.stockroom import Stockroom
from storefront.waiting_room import keys, queue, sales, tick
from storefront.waiting_room.models import Sale
from storefront.waiting_room.outcomes import Joined
from storefront.waiting_room.pages import links
from tests.cart.shelf import shelve, visitor

pytestmark = pytest.mark.only_on("sqlite")  # what SQL does for them, the routes' tests do on both

LOBBY = {"opened": False, "lobby_seconds": 7_200}


def view_of(page: str) -> str:
    found = re.search(r'data-view="(\w+)"', page)
    assert found, page
    return found[1]


def show(client: FlaskClient) -> str:
    answer = client.get("/sales/drop")
    assert answer.status_code == 200, answer.text
    return answer.text


def test_the_view_follows_the_sale_and_the_shopper(
    room: Stockroom, sale_of: Callable[..., Sale], client: FlaskClient
) -> None:
    sale_of(units=1, **LOBBY)
    views = [view_of(show(client))]
    client.post("/sales/drop/join")
    views.append(view_of(show(client)))
    sales.change_state(room, "drop", "open", "ops")
    tick.tick_all(room)
    views.append(view_of(show(client)))
    client.post("/sales/drop/leave")
    views.append(view_of(show(client)))
    sales.change_state(room, "drop", "drain", "ops")
    views.append(view_of(show(client)))
    sales.change_state(room, "drop", "close", "ops")
    views.append(view_of(show(client)))

    assert views == ["lobby", "waiting", "admitted", "ended", "ended", "closed"]


def test_somebody_who_missed_his_turn_is_told_so_and_may_join_again(
    room: Stockroom, sale_of: Callable[..., Sale], client: FlaskClient
) -> None:
    sale_of(units=1)
    client.post("/sales/drop/join")
    tick.tick_all(room)
    let_in: Any = room.redis.zrange(keys.active("drop"), 0, 0)
    room.redis.zadd(keys.active("drop"), dict.fromkeys(let_in, 1))
    queue.end_overdue(room, "drop")

    page = show(client)

    assert view_of(page) == "ended"
    assert "You missed your turn" in page
    assert "Join again, at the end of the line" in page


def test_showing_the_page_is_showing_up(room: Stockroom, sale_of: Callable[..., Sale], client: FlaskClient) -> None:
    sale_of(units=1)
    client.post("/sales/drop/join")
    tick.tick_all(room)

    show(client)

    records: Any = room.redis.hvals(keys.admitted("drop"))
    assert [record.split("|")[0] for record in records] == ["arrived"]


def test_a_page_without_scripts_looks_again_sooner_near_the_front(
    sale_of: Callable[..., Sale], join: Callable[..., Joined], client: FlaskClient, app: Flask
) -> None:
    sale_of(units=5, rate=0.0001)
    near = visitor(app)
    near.post("/sales/drop/join")
    for number in range(20):
        join(f"ahead-{number}")
    client.post("/sales/drop/join")

    assert '<noscript><meta http-equiv="refresh" content="5"></noscript>' in show(near)
    assert '<noscript><meta http-equiv="refresh" content="10"></noscript>' in show(client)
    assert "<noscript>" not in show(visitor(app))  # somebody may be typing in his address


def test_the_bar_begins_where_somebody_began_and_a_rise_is_explained(
    room: Stockroom, sale_of: Callable[..., Sale], join: Callable[..., Joined], client: FlaskClient
) -> None:
    sale_of(units=0)
    ahead = [join(f"ahead-{number}").ticket for number in range(4)]
    client.post("/sales/drop/join")
    show(client)
    for ticket in ahead[:3]:
        queue.leave(room, "drop", ticket.shopper)
    moved_up = show(client)
    room.redis.zadd(keys.line("drop"), {"back-1": 1, "back-2": 2})

    fell_back = show(client)

    assert 'max="5" value="3"' in moved_up
    assert "came back after an interruption" not in moved_up
    assert "2 people ahead of you came back after an interruption." in fell_back
    assert 'max="5" value="1"' in fell_back


@pytest.mark.parametrize("kept", ["x", "5", "5.x", "-1.-1", "9999999999.1", "²."])
def test_a_track_that_is_none_does_no_harm(kept: str, sale_of: Callable[..., Sale], client: FlaskClient) -> None:
    sale_of(units=0)
    client.post("/sales/drop/join")
    client.set_cookie("line_drop", kept, path="/sales/drop")

    assert "1st" in show(client)


def test_the_seed_is_kept_until_the_sale_has_opened(
    app: Flask, room: Stockroom, sale_of: Callable[..., Sale], client: FlaskClient
) -> None:
    sale = sale_of(units=0, shuffle=True, **LOBBY)
    before = show(client)

    sales.change_state(room, "drop", "open", "ops")
    app.extensions["showcase"].get()._shown.clear()  # it is read anew every few seconds
    after = show(client)

    assert sales.seed_hash(sale.seed) in before
    assert sale.seed not in before
    assert sale.seed in after


def test_a_refusal_is_told_on_the_page_of_the_sale(sale_of: Callable[..., Sale], client: FlaskClient) -> None:
    sale_of(units=0, one_per_email=True)

    answer = client.post("/sales/drop/join", data={"email": "no address"}, follow_redirects=True)

    assert answer.status_code == 200
    assert "This sale asks for your e-mail address." in answer.text
    assert view_of(answer.text) == "join"


def test_nothing_changes_for_another_site(app: Flask, sale_of: Callable[..., Sale]) -> None:
    sale_of(units=0)
    stranger = visitor(app, origin="https://evil.example")

    answers = [
        stranger.post(f"/sales/drop/{path}").status_code for path in ("join", "leave", "extend", "place", "place/x")
    ]

    assert answers == [403] * 5


def test_while_the_queue_is_checked_the_page_says_so_and_looks_again(
    room: Stockroom, sale_of: Callable[..., Sale], client: FlaskClient
) -> None:
    sale_of(units=0)
    client.post("/sales/drop/join")
    room.redis.hset(keys.head("drop"), "run_id", "another")

    answer = client.get("/sales/drop")

    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "3"
    assert "Your place is kept" in answer.text
    assert '<meta http-equiv="refresh" content="3">' in answer.text


def link_of(client: FlaskClient) -> str:
    page = client.post("/sales/drop/place").text
    found = re.search(r'value="http://localhost(/sales/drop/place/[^"]+)"', page)
    assert found, page
    return found[1]


def test_a_link_moves_the_place_it_was_made_for_once(
    app: Flask, sale_of: Callable[..., Sale], client: FlaskClient
) -> None:
    sale_of(units=0)
    client.post("/sales/drop/join")
    link = link_of(client)
    phone, thief = visitor(app), visitor(app)

    opened = phone.get(link)
    moved = phone.post(link)
    again = [thief.get(link).status_code, thief.post(link).status_code]
    client.post("/sales/drop/join")
    for_a_new_place = thief.post(link).status_code

    assert opened.status_code == 200
    assert moved.status_code == 303
    assert "1st" in show(phone)
    assert again == [409, 409]
    assert for_a_new_place == 409
    assert "2nd" in show(client)


def test_a_turn_moves_too(app: Flask, room: Stockroom, sale_of: Callable[..., Sale], client: FlaskClient) -> None:
    sale_of(units=1)
    client.post("/sales/drop/join")
    link = link_of(client)
    tick.tick_all(room)
    phone = visitor(app)

    phone.post(link)

    assert view_of(show(phone)) == "admitted"
    assert view_of(show(client)) == "ended"


def test_a_link_that_was_changed_or_is_old_or_is_for_another_sale_moves_nothing(
    app: Flask, sale_of: Callable[..., Sale], client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    sale_of(units=0)
    client.post("/sales/drop/join")
    link = link_of(client)
    phone = visitor(app)

    changed = phone.post(link[:-2] + "xx").status_code
    for_another = phone.post(link.replace("/drop/", "/other/")).status_code
    monkeypatch.setattr(links, "VALID_SECONDS", -1)
    old = phone.post(link).status_code

    assert (changed, for_another, old) == (409, 404, 409)
    assert "1st" in show(client)


def test_without_a_place_there_is_no_link(sale_of: Callable[..., Sale], client: FlaskClient) -> None:
    sale_of(units=0)

    assert client.post("/sales/drop/place").status_code == 409


def test_an_unknown_sale_has_no_page(client: FlaskClient) -> None:
    paths = ["/sales/none", "/sales/none/leave", "/sales/no%20slug", "/sales/%00", "/sales/none/place/x"]

    assert [client.get(path).status_code for path in paths] == [404] * 5


def test_a_product_of_a_sale_shows_the_way_in_until_one_is_in(room: Stockroom, app: Flask) -> None:
    shelve(MUG=5)
    sales.create(room, sales.NewSale("drop", ("MUG",), room.now_ms(), rate=1_000.0), "ops")
    tick.tick_all(room)
    ada, bob = visitor(app), visitor(app)
    slug = ada.get("/api/v1/products").get_json()["products"][0]["slug"]
    ada.post("/sales/drop/join")
    tick.tick_all(room)

    inside, outside = ada.get(f"/products/{slug}").text, bob.get(f"/products/{slug}").text
    refused = bob.post("/cart/items", data={"sku": "MUG", "quantity": "1", "back": f"/products/{slug}"})

    assert "data-hold-sale hidden" in inside
    assert "data-hold-row hidden" in outside
    assert 'href="/sales/drop"' in outside
    assert refused.headers["Location"] == f"/products/{slug}"
    assert "Join its waiting room" in bob.get(f"/products/{slug}").text


def test_the_front_page_names_the_sales_there_are(
    room: Stockroom, sale_of: Callable[..., Sale], client: FlaskClient
) -> None:
    sale_of(units=1, opened=False, title="Copper kettles")
    announced = client.get("/").text
    sales.change_state(room, "drop", "close", "ops")

    assert "Copper kettles" in announced
    assert "Copper kettles" not in client.get("/").text
