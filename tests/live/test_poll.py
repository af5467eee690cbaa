"""The long-poll."""

import threading
import time
from collections.abc import Callable

import pytest
from flask import Flask

from storefront.live import poll
from tests.cart.shelf import shelve, visitor
from tests.live.conftest import RunningRelay, wait_until

pytestmark = pytest.mark.only_on("sqlite")  # SQL has no part in it

Start = Callable[..., RunningRelay]


def version_of(app: Flask, sku: str) -> int:
    return visitor(app).get("/api/v1/stock", query_string={"sku": sku}).get_json()["stock"][0]["version"]


def test_what_is_newer_is_told_at_once_and_nothing_else(app: Flask, start_relay: Start) -> None:
    shelve(MUG=5, CAP=3)
    start_relay()

    began = time.monotonic()
    answer = visitor(app).get(f"/live/poll?sku=MUG:{version_of(app, 'MUG')}&sku=CAP:0")

    assert answer.status_code == 200
    assert [(state["sku"], state["available"]) for state in answer.get_json()["stock"]] == [("CAP", 3)]
    assert time.monotonic() - began < 10  # half of what it waits for news
    assert "no-store" in answer.headers["Cache-Control"]


def test_who_knows_all_waits_for_the_next_change(app: Flask, start_relay: Start) -> None:
    shelve(MUG=5)
    start_relay()
    known = version_of(app, "MUG")
    threading.Timer(0.2, lambda: visitor(app).add("MUG", 2)).start()

    answer = visitor(app).get(f"/live/poll?sku=MUG:{known}")

    (state,) = answer.get_json()["stock"]
    assert (state["sku"], state["available"]) == ("MUG", 3)
    assert state["version"] > known


def test_what_the_relay_has_told_is_known_without_asking_redis(
    app: Flask, start_relay: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelve(MUG=5)
    running = start_relay()
    visitor(app).add("MUG", 2)
    running.ear.wait_for(lambda heard: heard.told)
    monkeypatch.setattr(running.relay, "snapshot", lambda skus: pytest.fail("Redis was asked"))

    answer = visitor(app).get("/live/poll?sku=MUG:0")

    assert [state["available"] for state in answer.get_json()["stock"]] == [3]


def test_a_relay_that_hears_nothing_is_not_relied_upon(app: Flask, start_relay: Start) -> None:
    shelve(MUG=5)
    running = start_relay()
    visitor(app).add("MUG", 2)
    running.ear.wait_for(lambda heard: heard.told)
    running.stop()
    wait_until(lambda: not running.relay.hearing)
    visitor(app).add("MUG", 1)

    answer = visitor(app).get("/live/poll?sku=MUG:0")

    assert [state["available"] for state in answer.get_json()["stock"]] == [2]


def test_when_nothing_comes_it_is_204(app: Flask, start_relay: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poll, "WAIT_SECONDS", 0.2)
    shelve(MUG=5)
    start_relay()

    began = time.monotonic()
    answer = visitor(app).get(f"/live/poll?sku=MUG:{version_of(app, 'MUG')}")

    assert (answer.status_code, answer.data) == (204, b"")
    assert 0.2 <= time.monotonic() - began < 10


def test_a_sku_may_contain_a_colon(app: Flask, start_relay: Start) -> None:
    shelve({"A:B": 5})
    start_relay()

    answer = visitor(app).get("/live/poll?sku=A:B:0")

    assert answer.get_json()["stock"][0]["sku"] == "A:B"


@pytest.mark.parametrize("query, status", [
    ("", 422), ("sku=MUG", 422), ("sku=MUG:", 422), ("sku=:5", 422), ("sku=MUG:x", 422), ("sku=MUG:-1", 422),
    ("sku=MUG:1.5", 422), ("sku=MUG:%C2%B2", 422), ("sku=MUG:" + "9" * 5000, 422), ("sku=NONE:0", 404),
    ("&".join(f"sku=X{number}:0" for number in range(201)), 422),
], ids=lambda value: str(value)[:12])  # fmt: skip
def test_what_cannot_be_asked_is_a_problem(app: Flask, start_relay: Start, query: str, status: int) -> None:
    shelve(MUG=5)
    start_relay()

    answer = visitor(app).get(f"/live/poll?{query}")

    assert answer.status_code == status
    assert answer.mimetype == "application/problem+json"
