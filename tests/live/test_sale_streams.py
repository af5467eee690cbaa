"""A sale by server-sent events and by long-poll: the same figures as JSON tells."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
import requests

from tests.backstage import Backstage, join, place_of
from tests.live.conftest import wait_until
from tests.running import RunningShop

CLOCKS = {"opens_in_ms", "pass_expires_in_ms"}


def stream(shop: RunningShop, slug: str, session: requests.Session | None = None) -> requests.Response:
    answer = (session or requests.Session()).get(f"{shop.url}/live/sales/{slug}", stream=True, timeout=20)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    return answer


def events(answer: requests.Response) -> Iterator[tuple[str, dict[str, Any]]]:
    event = ""
    for line in answer.iter_lines(chunk_size=1):
        name, _, value = line.decode().partition(": ")
        if name == "event":
            event = value
        elif name == "data":
            yield event, json.loads(value)


def poll(shop: RunningShop, slug: str, session: requests.Session, known: str = "") -> requests.Response:
    return session.get(f"{shop.url}/live/poll", params={"sale": slug, "known": known}, timeout=30)


def without_clocks(told: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in told.items() if name not in CLOCKS}


def test_a_stream_begins_with_what_json_tells_and_goes_on_with_each_change(
    backstage: Backstage, served: RunningShop, waiting_sale: Callable[..., str]
) -> None:
    slug = waiting_sale("S16")
    ahead, bob = join(served, slug), join(served, slug)

    with closing(stream(served, slug, bob)) as answer:
        told = events(answer)
        first, second = next(told), next(told)
        as_json = place_of(served, slug, bob)
        ahead.delete(f"{served.url}/api/v1/sales/{slug}/tickets/me", timeout=10)
        moved = next(place for event, place in told if event == "place")
        backstage.change(slug, "pause")
        paused = next(sale for event, sale in told if event == "sale" and sale["state"] == "paused")

    assert (first[0], first[1]["state"], second[0]) == ("sale", "open", "place")
    assert without_clocks(second[1]) == without_clocks(as_json)
    assert second[1]["position"] == 2
    assert moved["position"] == 1
    assert paused["reason"] == "paused"


def test_a_stream_tells_who_is_let_in(backstage: Backstage, served: RunningShop) -> None:
    slug = backstage.sale("S17", opens_in_ms=3_600_000, lobby_seconds=7_200)
    wait_until(lambda: requests.get(f"{served.url}/api/v1/sales/{slug}", timeout=5).json().get("state") == "lobby")
    bob = join(served, slug)

    with closing(stream(served, slug, bob)) as answer:
        told = events(answer)
        next(told)
        backstage.change(slug, "open")
        admitted = next(data for event, data in told if event == "admitted")

    assert admitted["sale"] == slug
    assert admitted["pass_expires_at"] == place_of(served, slug, bob)["pass_expires_at"]


def test_a_poll_answers_at_once_what_is_not_known_yet(served: RunningShop, waiting_sale: Callable[..., str]) -> None:
    slug = waiting_sale("S18")
    bob = join(served, slug)

    answer = poll(served, slug, bob).json()

    assert answer["sale"]["state"] == "open"
    assert without_clocks(answer["place"]) == without_clocks(place_of(served, slug, bob))


def test_a_poll_waits_for_the_next_change(
    backstage: Backstage, served: RunningShop, waiting_sale: Callable[..., str]
) -> None:
    slug = waiting_sale("S19")
    ahead, bob = join(served, slug), join(served, slug)
    known = poll(served, slug, bob).json()["known"]
    threading.Timer(
        1.0, lambda: ahead.delete(f"{served.url}/api/v1/sales/{slug}/tickets/me", timeout=10)
    ).start()  # fmt: skip
    began = time.monotonic()

    moved = poll(served, slug, bob, known)
    threading.Timer(0.5, lambda: backstage.say(slug, "Soon")).start()
    said = poll(served, slug, bob, moved.json()["known"])

    assert time.monotonic() - began >= 1.0
    assert moved.json()["place"]["position"] == 1
    assert said.json()["sale"]["message"] == "Soon"


def test_a_poll_that_missed_a_change_hears_of_it(served: RunningShop, waiting_sale: Callable[..., str]) -> None:
    slug = waiting_sale("S20")
    ahead, bob = join(served, slug), join(served, slug)
    known = poll(served, slug, bob).json()["known"]
    ahead.delete(f"{served.url}/api/v1/sales/{slug}/tickets/me", timeout=10)

    answer = poll(served, slug, bob, known)

    assert answer.json()["place"]["position"] == 1


def test_a_known_that_is_none_is_answered_at_once(served: RunningShop, waiting_sale: Callable[..., str]) -> None:
    slug = waiting_sale("S21")
    none = ["x", "a-b-c", "0-1-nan", "0-1-inf", "0--1-5", "²-1-1", "a-" + "9" * 5000 + "-1"]

    answers = [poll(served, slug, served.shopper(), known) for known in none]

    assert [answer.status_code for answer in answers] == [200] * len(none)
    assert answers[0].json()["place"] is None


@pytest.mark.parametrize("path", ["/live/sales/none-such", "/live/poll?sale=none-such", "/live/poll?sale=%00"])
def test_an_unknown_sale_is_a_problem(served: RunningShop, path: str) -> None:
    answer = requests.get(f"{served.url}{path}", timeout=10)

    assert answer.status_code == 404
    assert answer.json()["code"] == "unknown_sale"
