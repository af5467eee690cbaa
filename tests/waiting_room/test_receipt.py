"""The receipt: each shopper sees his own way through a sale, nobody else's, and can check his lot."""

import re
from collections.abc import Callable
from hashlib import sha1

import pytest
from flask import Flask

from storefront.stock.stockroom import Stockroom
from storefront.waiting_room import keys, sales, tick
from storefront.waiting_room.sales import NewSale
from tests.cart.shelf import Visitor, shelve, visitor


@pytest.fixture
def announce(room: Stockroom) -> Callable[..., None]:
    """Announce `drop` (MUG, open now); fields of NewSale as keywords."""

    def sale(units: int = 1, **fields: object) -> None:
        shelve(MUG=units)
        sales.create(room, NewSale(**{"slug": "drop", "skus": ("MUG",), "opens_at_ms": room.now_ms(), **fields}), "ops")  # type: ignore[arg-type]
        tick.tick_all(room)

    return sale


def join(somebody: Visitor) -> None:
    assert somebody.post("/api/v1/sales/drop/tickets").status_code == 201


def facts(somebody: Visitor) -> list[tuple[str, str]]:
    """What the receipt lists, without times."""
    page = somebody.get("/sales/drop/receipt")
    assert page.status_code == 200, page.text
    found = re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", page.text)
    plain = [(name, re.sub(r"<time.*?</time>", "TIME", value)) for name, value in found]
    return [(name, re.sub(r"<.*?>", "", value)) for name, value in plain]


def test_who_was_never_there_has_nothing_to_see(app: Flask, announce: Callable[..., None]) -> None:
    announce()

    page = visitor(app).get("/sales/drop/receipt").text

    assert "nobody has waited in this line with this browser" in page


def test_who_waits_sees_his_place(app: Flask, room: Stockroom, announce: Callable[..., None]) -> None:
    announce(units=0)
    ada, bob = visitor(app), visitor(app)
    join(ada)
    join(bob)
    tick.tick_all(room)

    assert facts(bob) == [("Joined", "TIME"), ("Place", "arrival 2"), ("Position", "2")]


def test_who_was_let_in_and_ordered_sees_the_whole_way(
    app: Flask, room: Stockroom, announce: Callable[..., None]
) -> None:
    announce()
    ada = visitor(app)
    join(ada)
    tick.tick_all(room)
    ada.add("MUG")
    ada.order("10.00")
    tick.tick_all(room)

    found = dict(facts(ada))

    assert re.fullmatch(r"\d\.\d seconds", found.pop("Waited"))
    assert found == {
        "Joined": "TIME", "Place": "arrival 1", "Let in": "TIME",
        "Pass": "You ordered, and the pass ended with it, TIME", "Units ordered": "1",
    }  # fmt: skip


def test_who_comes_twice_sees_both_and_orders_belong_to_the_time_they_were_made_in(
    app: Flask, room: Stockroom, announce: Callable[..., None]
) -> None:
    announce()
    ada = visitor(app)
    join(ada)
    tick.tick_all(room)
    ada.delete("/api/v1/sales/drop/tickets/me")
    join(ada)
    tick.tick_all(room)
    ada.add("MUG")
    ada.order("10.00")
    tick.tick_all(room)

    found = facts(ada)

    assert [value for name, value in found if name == "Place"] == ["arrival 1", "arrival 2"]
    assert [value for name, value in found if name == "Units ordered"] == ["0", "1"]
    assert ("Pass", "You left, TIME") in found


def test_nobody_sees_the_receipt_of_another(app: Flask, room: Stockroom, announce: Callable[..., None]) -> None:
    announce(units=5)
    ada, bob = visitor(app), visitor(app)
    join(ada)
    join(bob)
    tick.tick_all(room)

    assert [value for name, value in facts(bob) if name == "Place"] == ["arrival 2"]


def test_a_lot_is_secret_before_the_opening_and_can_be_checked_after_it(
    app: Flask, room: Stockroom, announce: Callable[..., None]
) -> None:
    announce(opens_at_ms=room.now_ms() + 3_600_000, lobby_seconds=7200, shuffle=True)
    tick.tick_all(room)
    ada = visitor(app)
    join(ada)
    before = dict(facts(ada))

    sales.change_state(room, "drop", "open", "ops")
    tick.tick_all(room)
    after = dict(facts(ada))

    seed = sales.find(room, "drop").seed
    assert (before["Place"], before["Seed"]) == ("is drawn when the sale opens", "secret until the sale opens")
    assert before["SHA-256 of the seed"] == after["SHA-256 of the seed"] == sales.seed_hash(seed)
    assert after["Place"] == "lot " + sha1(f"{after['Seed']}:{after['You']}".encode()).hexdigest()[:13]
    assert seed not in str(before)


def test_what_is_in_sql_is_told_while_the_queue_is_lost(
    app: Flask, room: Stockroom, announce: Callable[..., None]
) -> None:
    announce()
    ada = visitor(app)
    join(ada)
    tick.tick_all(room)
    room.redis.delete(keys.head("drop"))

    assert ("Place", "arrival 1") in facts(ada)


def test_an_unknown_sale_has_no_receipts(app: Flask) -> None:
    assert visitor(app).get("/sales/none/receipt").status_code == 404
