"""A Redis at maxmemory that evicts nothing: none can be taken, but all that gives units back goes on as ever."""

from collections.abc import Callable, Iterator

import pytest
from flask import Flask

from storefront.stock.stockroom import Stockroom
from storefront.stock.verify import verify
from tests.cart.shelf import Visitor, available, let_holds_run_out, shelve, visitor
from workers import jobs


@pytest.fixture
def ann(app: Flask, room: Stockroom) -> Iterator[Visitor]:
    """A shopper who has ordered one of five mugs and holds two, where Redis has just become full."""
    shelve(MUG=5)
    ann = visitor(app)
    ann.add("MUG")
    ann.order("10.00", key="earlier")
    ann.add("MUG", 2)
    room.unfenced.config_set("maxmemory", 1)
    yield ann
    room.unfenced.config_set("maxmemory", 0)


def test_an_add_is_refused_and_nothing_is_half_done(app: Flask, room: Stockroom, ann: Visitor) -> None:
    answer = ann.add("MUG")

    assert (answer.status_code, answer.headers["Retry-After"], answer.get_json()["code"]) == (503, "1", "unavailable")
    assert ann.cart() == {"MUG": 2}
    assert available(app, "MUG") == 2
    assert verify(room, 0) == []


def cancel(ann: Visitor, room: Stockroom) -> None:
    token = ann.order("10.00", key="earlier").get_json()["token"]  # the same request gets the same answer
    ann.post(f"/api/v1/orders/{token}/cancel")


def expire(ann: Visitor, room: Stockroom) -> None:
    room.unfenced.config_set("maxmemory", 0)
    let_holds_run_out(room)
    room.unfenced.config_set("maxmemory", 1)
    jobs.expire_holds()


@pytest.mark.parametrize("give_back, left", [
    (lambda ann, room: ann.delete("/api/v1/cart/items/MUG"), 4),
    (lambda ann, room: ann.put("/api/v1/cart/items/MUG", json={"quantity": 1}), 3),
    (lambda ann, room: ann.order("20.00"), 2),
    (cancel, 3),
    (expire, 4),
], ids=["released", "lowered", "ordered", "cancelled", "expired"])  # fmt: skip
def test_what_is_given_back_can_be_had_at_once(
    app: Flask, room: Stockroom, ann: Visitor, give_back: Callable[[Visitor, Stockroom], object], left: int
) -> None:
    give_back(ann, room)

    assert available(app, "MUG") == left
    assert verify(room, 0) == []
