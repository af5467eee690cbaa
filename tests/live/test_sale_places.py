"""Places: who is told what, and when; on a real queue, one turn at a time."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from storefront.core.tools import keep
from storefront.live.events import WatchedSales
from storefront.live.sales import places as places_module
from storefront.live.sales import poll
from storefront.live.sales.letters import Letter
from storefront.live.sales.places import Places
from storefront.stock.stockroom import Stockroom
from storefront.waiting_room import joining, keys, queue, sales, tick
from storefront.waiting_room.joining import Joiner
from storefront.waiting_room.outcomes import Ticket
from storefront.waiting_room.sales import NewSale
from tests.cart.shelf import visitor

pytestmark = pytest.mark.only_on("sqlite")


class Ear:
    """A line that remembers what came over it."""

    def __init__(self) -> None:
        self.letters: list[Letter] = []

    def read(self, letter: Letter) -> None:
        self.letters.append(letter)

    def heard(self, event: str) -> list[dict[str, Any]]:
        return [letter.data for letter in self.letters if letter.event == event]

    def positions(self) -> list[int | None]:
        return [place["position"] for place in self.heard("place")]


@pytest.fixture
def places(room: Stockroom, stocked: Callable[..., Stockroom]) -> Places:
    """The places of a process; the sale `drop` of 5 MUG is open and lets nobody in."""
    stocked(MUG=5)
    sales.create(room, NewSale("drop", ("MUG",), room.now_ms(), rate=0.0001), "ops")
    tick.tick_all(room)
    return Places(room)


@pytest.fixture
def join(room: Stockroom, places: Places) -> Callable[[str], Ticket]:
    def one(shopper: str) -> Ticket:
        joined = joining.join(room, "drop", [Joiner("drop", shopper)])[0]
        assert not isinstance(joined, Exception)
        return joined.ticket

    return one


def make_due(places: Places, *shoppers: str) -> None:
    for shopper in shoppers:
        places._sales["drop"].people[shopper].due_at = 0.0


def test_only_who_has_moved_is_told(room: Stockroom, places: Places, join: Callable[[str], Ticket]) -> None:
    ears = {shopper: Ear() for shopper in ("ada", "bob", "cyd")}
    for shopper, ear in ears.items():
        places.watch("drop", join(shopper), ear)
    queue.leave(room, "drop", "bob")

    make_due(places, *ears)
    places.turn()

    assert ears["ada"].positions() == []
    assert ears["cyd"].positions() == [2]
    assert ears["bob"].heard("place")[0]["state"] == "left"


def test_an_older_line_hears_what_a_newer_one_was_greeted_with(
    room: Stockroom, places: Places, join: Callable[[str], Ticket]
) -> None:
    join("ada")
    ticket, old, new = join("bob"), Ear(), Ear()
    places.watch("drop", ticket, old)
    queue.leave(room, "drop", "ada")
    greeted = places.watch("drop", ticket, new).place

    places.turn()

    assert greeted and greeted["position"] == 1
    assert old.positions() == [1]


def test_somebody_far_back_is_looked_at_less_often(
    room: Stockroom, places: Places, join: Callable[[str], Ticket]
) -> None:
    for number in range(places_module.FRONT):
        join(f"ahead-{number}")
    near, far = places.watch("drop", join("near"), Ear()), places.watch("drop", join("far"), Ear())

    assert near.place and near.place["position"] == places_module.FRONT + 1
    assert far.quiet_seconds == 30.0
    queue.leave(room, "drop", "ahead-0")
    assert places.watch("drop", join("near"), Ear()).quiet_seconds == places_module.TICK_SECONDS


def test_while_the_queue_is_lost_nobody_is_told_a_number_and_then_the_watchers_are_back(
    room: Stockroom, places: Places, join: Callable[[str], Ticket]
) -> None:
    ears = {shopper: Ear() for shopper in ("ada", "bob")}
    for shopper, ear in ears.items():
        places.watch("drop", join(shopper), ear)
    room.redis.unlink(keys.head("drop"), keys.line("drop"))

    make_due(places, *ears)
    places.turn()
    places.turn()
    while_lost = [ear.letters[:] for ear in ears.values()]
    tick.tick_all(room)
    places.turn()

    for letters in while_lost:
        assert [(letter.event, letter.data["reason"]) for letter in letters] == [("sale", "checking_queue")]
    for ear in ears.values():
        assert ear.heard("sale")[-1]["reason"] == "coming_back"
        assert ear.positions() in ([], [1], [2])
    assert queue.look(room, "drop")[0].waiting == 2


def test_a_watch_that_begins_while_the_queue_is_lost_is_completed_later(
    room: Stockroom, places: Places, join: Callable[[str], Ticket]
) -> None:
    ticket, ear = join("ada"), Ear()
    run_id = room.redis.hget(keys.head("drop"), "run_id")
    room.redis.hset(keys.head("drop"), "run_id", "another")

    watch = places.watch("drop", ticket, ear)
    room.redis.hset(keys.head("drop"), "run_id", run_id)
    places.turn()

    assert (watch.sale["reason"], watch.place) == ("checking_queue", None)
    assert ear.heard("sale")[-1]["state"] == "open"
    assert ear.positions() == [1]


def test_those_far_back_are_put_back_too_before_anybody_is_let_in(
    room: Stockroom, places: Places, join: Callable[[str], Ticket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places_module, "FRONT", 0)
    for shopper in ("ada", "bob"):
        assert places.watch("drop", join(shopper), Ear()).quiet_seconds == 30.0
    room.redis.unlink(keys.head("drop"), keys.line("drop"))
    tick.tick_all(room)

    places._sales["drop"].due_at = 0.0  # the figures for all are due every few seconds
    places.turn()
    places.turn()

    assert queue.look(room, "drop")[0].waiting == 2


def test_a_newcomer_who_has_been_in_the_shop_before_is_told_no_place(room: Stockroom, places: Places) -> None:
    ear, run_id = Ear(), room.redis.hget(keys.head("drop"), "run_id")
    room.redis.hset(keys.head("drop"), "run_id", "another")
    places.watch("drop", Ticket("newcomer", 0, 0, False), ear)
    room.redis.hset(keys.head("drop"), "run_id", run_id)

    places.turn()

    assert ear.heard("sale")[-1]["state"] == "open"
    assert ear.heard("place") == []


def test_a_watch_that_is_answered_after_its_socket_has_gone_ends_at_once() -> None:
    watched, ended = WatchedSales(), []
    watched.begin("drop", lambda: ended.append("drop"))
    watched.begin("other", lambda: ended.append("other"))

    watched.end_all()
    watched.begin("late", lambda: ended.append("late"))

    assert ended == ["drop", "other", "late"]


def test_nothing_is_kept_of_those_who_have_left(places: Places, join: Callable[[str], Ticket]) -> None:
    ends = [places.watch("drop", ticket, Ear()).end for ticket in (join("ada"), join("ada"), None)]

    for end in ends:
        end()

    assert places._sales == {}


def test_a_letter_reads_the_same_on_every_line() -> None:
    letter = Letter("place", {"sale": "drop", "position": 42})

    assert letter.frame == b'\x81\x2942["place",{"sale":"drop","position":42}]'
    assert letter.text == 'event: place\ndata: {"sale":"drop","position":42}\n\n'
    assert letter.chunk.endswith(letter.text.encode() + b"\r\n")


def test_a_poll_with_nothing_new_ends_after_a_while(
    app: Flask, places: Places, join: Callable[[str], Ticket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(poll, "WAIT_SECONDS", 0.2)
    keep(app, "places", lambda: places)
    client = visitor(app)
    client.post("/api/v1/sales/drop/tickets")
    known = client.get("/live/poll?sale=drop").get_json()["known"]

    answer = client.get(f"/live/poll?sale=drop&known={known}")

    assert answer.status_code == 204
    assert places._sales == {}


def test_a_position_alone_is_polled_no_sooner_than_it_would_be_told(
    app: Flask, room: Stockroom, places: Places, join: Callable[[str], Ticket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(poll, "WAIT_SECONDS", 0.2)
    keep(app, "places", lambda: places)
    for number in range(places_module.FRONT + 5):
        join(f"ahead-{number}")
    client = visitor(app)
    client.post("/api/v1/sales/drop/tickets")
    known = client.get("/live/poll?sale=drop").get_json()["known"]
    queue.leave(room, "drop", "ahead-0")

    too_soon = client.get(f"/live/poll?sale=drop&known={known}")
    later = client.get(f"/live/poll?sale=drop&known={known.rpartition('-')[0]}-1.0")

    assert too_soon.status_code == 204
    assert later.get_json()["place"]["position"] == places_module.FRONT + 5
