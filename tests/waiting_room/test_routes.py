"""The waiting room over HTTP, as the contract has it."""

from collections.abc import Callable

import pytest
from flask import Flask

from storefront.stock.stockroom import Stockroom
from storefront.waiting_room import sales, tick
from storefront.waiting_room.models import Sale
from tests.cart.shelf import all_at_once, shelve, visitor

TICKETS = "/api/v1/sales/drop/tickets"
MINE = f"{TICKETS}/me"


def test_a_ticket_is_given_once(app: Flask, sale_of: Callable[..., Sale]) -> None:
    sale_of(units=0)
    shopper = visitor(app)

    first, again = shopper.post(TICKETS), shopper.post(TICKETS)

    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json == again.json
    assert first.json and first.json["position"] == first.json["ordinal"] == 1
    assert first.json["state"] == "waiting"


def test_the_ticket_says_where_one_stands(app: Flask, sale_of: Callable[..., Sale]) -> None:
    sale_of(units=0)
    shoppers = [visitor(app) for _ in range(3)]
    for shopper in shoppers:
        shopper.post(TICKETS)

    answer = shoppers[2].get(MINE)

    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json and (answer.json["position"], answer.json["ahead"]) == (3, 2)
    assert {"state", "position", "ahead", "eta_seconds", "pass_expires_at"} <= answer.json.keys()


def test_who_is_let_in_may_buy(app: Flask, room: Stockroom, sale_of: Callable[..., Sale]) -> None:
    shelve(MUG=5)
    sale_of(units=5)
    shopper, stranger = visitor(app), visitor(app)
    refused = shopper.add("MUG")
    shopper.post(TICKETS)
    tick.tick_all(room)

    place, added, other = shopper.get(MINE), shopper.add("MUG"), stranger.add("MUG")

    assert (refused.status_code, refused.json and refused.json["code"]) == (403, "pass_required")
    assert place.json and place.json["state"] == "admitted" and place.json["pass_expires_at"]
    assert added.status_code == 201
    assert other.status_code == 403


def test_a_form_that_is_refused_leads_to_the_page_it_came_from(app: Flask, sale_of: Callable[..., Sale]) -> None:
    shelve(MUG=5)
    sale_of(units=5)

    answer = visitor(app).post("/cart/items", data={"sku": "MUG", "quantity": 1, "back": "/products/mug"})

    assert (answer.status_code, answer.location) == (303, "/products/mug")


def test_leaving_frees_the_place(app: Flask, sale_of: Callable[..., Sale]) -> None:
    sale_of(units=0)
    first, second = visitor(app), visitor(app)
    first.post(TICKETS)
    second.post(TICKETS)

    answer = first.delete(MINE)

    assert answer.status_code == 204
    assert (first.get(MINE).json or {})["state"] == "left"
    assert (second.get(MINE).json or {})["position"] == 1


def test_a_pass_is_extended_while_it_is_good(app: Flask, room: Stockroom, sale_of: Callable[..., Sale]) -> None:
    sale_of(units=5)
    shopper = visitor(app)
    shopper.post(TICKETS)
    early = shopper.post(f"{MINE}/extend")
    tick.tick_all(room)
    shopper.get(MINE)

    answers = [shopper.post(f"{MINE}/extend") for _ in range(3)]

    assert (early.status_code, (early.json or {})["code"]) == (404, "no_pass")
    assert [answer.status_code for answer in answers] == [200, 200, 409]


@pytest.mark.parametrize("signed", ["", "nonsense", "ada.1.1.0.AAAA", "ada.1.1.0"])
def test_a_forged_ticket_is_none(app: Flask, sale_of: Callable[..., Sale], signed: str) -> None:
    sale_of(units=0)
    shopper = visitor(app)
    shopper.post(TICKETS)
    other = visitor(app)
    other.set_cookie("ticket_drop", signed)

    answer = other.post(TICKETS)

    assert answer.status_code == 201
    assert answer.json and answer.json["position"] == 2


def test_a_ticket_of_somebody_else_gives_no_place(app: Flask, room: Stockroom, sale_of: Callable[..., Sale]) -> None:
    sale_of(units=0)
    shopper, thief = visitor(app), visitor(app)
    stolen = (shopper.post(TICKETS).json or {})["ticket"]
    for key in room.redis.keys("sale:*"):
        room.redis.delete(key)
    tick.tick_all(room)
    thief.set_cookie("ticket_drop", stolen)

    answer = thief.post(TICKETS)

    assert answer.status_code == 201
    assert answer.json and answer.json["ticket"] != stolen
    assert (shopper.get(MINE).json or {})["position"] == 1


@pytest.mark.parametrize(
    ("method", "path"), [("post", "tickets"), ("get", "tickets/me"), ("delete", "tickets/me"), ("get", "")]
)
def test_an_unknown_sale_is_404(app: Flask, method: str, path: str) -> None:
    answer = getattr(visitor(app), method)(f"/api/v1/sales/nothing/{path}".rstrip("/"))

    assert (answer.status_code, (answer.json or {})["code"]) == (404, "unknown_sale")


def test_without_a_ticket_there_is_no_place(app: Flask, sale_of: Callable[..., Sale]) -> None:
    sale_of(units=0)

    answer = visitor(app).get(MINE)

    assert (answer.status_code, (answer.json or {})["code"]) == (404, "no_ticket")


def test_an_empty_body_is_fine_whatever_it_says_it_is(app: Flask, sale_of: Callable[..., Sale]) -> None:
    sale_of(units=0)

    answer = visitor(app).post(TICKETS, data=b"", content_type="application/json")

    assert answer.status_code == 201


@pytest.mark.parametrize("body", [[1], {"email": 1}, "x"])
def test_a_strange_body_is_refused(app: Flask, sale_of: Callable[..., Sale], body: object) -> None:
    sale_of(units=0)

    answer = visitor(app).post(TICKETS, json=body)

    assert (answer.status_code, (answer.json or {})["code"]) == (422, "invalid_input")


@pytest.mark.parametrize("email", ["", "nobody", "a@b", "x" * 300 + "@example.org"])
def test_a_sale_with_one_place_per_address_asks_for_it(app: Flask, sale_of: Callable[..., Sale], email: str) -> None:
    sale_of(units=0, one_per_email=True)

    answer = visitor(app).post(TICKETS, json={"email": email})

    assert (answer.status_code, (answer.json or {})["field"]) == (422, "email")


def test_one_address_gets_one_ticket(app: Flask, sale_of: Callable[..., Sale]) -> None:
    sale_of(units=0, one_per_email=True)
    body = {"email": "ada@example.org"}

    answers = [visitor(app).post(TICKETS, json=body) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [201, 409]
    assert (answers[1].json or {})["code"] == "address_taken"


def test_a_sale_that_is_over_says_so(app: Flask, room: Stockroom, sale_of: Callable[..., Sale]) -> None:
    sale_of(units=0)
    waiting = visitor(app)
    waiting.post(TICKETS)

    sales.change_state(room, "drop", "close", "ops")

    assert (visitor(app).post(TICKETS).json or {})["code"] == "sale_closed"
    assert (waiting.get(MINE).json or {})["state"] == "left"


def test_a_join_from_another_site_is_refused(app: Flask, sale_of: Callable[..., Sale]) -> None:
    sale_of(units=0)

    answer = visitor(app, origin="http://evil.example").post(TICKETS)

    assert (answer.status_code, (answer.json or {})["code"]) == (403, "cross_origin")


def test_a_lost_queue_is_503_and_comes_back(app: Flask, room: Stockroom, sale_of: Callable[..., Sale]) -> None:
    sale_of(units=0)
    shopper = visitor(app)
    shopper.post(TICKETS)
    for key in room.redis.keys("sale:*"):
        room.redis.delete(key)

    lost = shopper.get(MINE)
    tick.tick_all(room)

    assert (lost.status_code, lost.headers["Retry-After"]) == (503, "1")
    assert (shopper.get(MINE).json or {})["position"] == 1


def test_many_join_at_once_and_each_has_a_place_of_his_own(app: Flask, sale_of: Callable[..., Sale]) -> None:
    sale_of(units=0)

    answers = all_at_once([lambda: visitor(app).post(TICKETS).json or {} for _ in range(24)])

    assert sorted(answer["ordinal"] for answer in answers) == list(range(1, 25))


def test_a_closed_sale_leaves_nothing_big_in_redis_and_still_answers_when_redis_is_emptied(
    app: Flask, room: Stockroom, sale_of: Callable[..., Sale]
) -> None:
    sale_of(units=0)
    shopper = visitor(app)
    shopper.post(TICKETS)
    sales.change_state(room, "drop", "close", "ops")

    tick.tick_all(room)
    left_over = set(room.redis.keys("sale:*"))
    room.unfenced.delete("sale:{drop}:head")

    assert left_over == {"sale:{drop}:head"}
    assert (shopper.get("/api/v1/sales/drop").json or {})["state"] == "closed"
    assert (shopper.get(MINE).json or {})["state"] == "left"
