"""A web process whose own clock is a day off: only Redis' clock counts."""

import time

import pytest
from flask import Flask

from storefront.stock import reservations
from storefront.stock.stockroom import Stockroom
from storefront.stock.verify import verify
from tests.cart.shelf import available, shelve, visitor

DAY_SECONDS = 86_400


@pytest.mark.parametrize("off_seconds", [DAY_SECONDS, -DAY_SECONDS])
def test_holds_last_and_end_by_redis_clock_alone(
    app: Flask, room: Stockroom, monkeypatch: pytest.MonkeyPatch, off_seconds: int
) -> None:
    right = time.time
    shelve(MUG=5)
    ann, ben = visitor(app), visitor(app)
    monkeypatch.setattr(time, "time", lambda: right() + off_seconds)

    ann.add("MUG", 2)
    ben.add("MUG", 1)
    ann.post("/api/v1/cart/items/MUG/extend")
    left_ms = ann.get("/api/v1/cart").get_json()["items"][0]["expires_in_ms"]
    expired = reservations.expire_all_due(room)
    ordered = ann.order("20.00")

    assert room.hold_ms - 5_000 < left_ms <= room.hold_ms
    assert expired == 0
    assert ordered.status_code == 201
    assert available(app, "MUG") == 2
    assert verify(room, 0) == []
