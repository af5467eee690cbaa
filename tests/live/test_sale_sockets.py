"""Watching a sale over Socket.IO, against two real web processes, a worker and a clock."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
import socketio

from storefront.waiting_room import keys
from tests.backstage import Backstage, cookies_of, join, place_of, state_of
from tests.live.conftest import wait_until
from tests.running import RunningShop


class Watcher:
    """A Socket.IO client that remembers what it is told of sales."""

    def __init__(self, shop: RunningShop, session: requests.Session | None = None):
        self.told: dict[str, list[dict[str, Any]]] = {"sale": [], "place": [], "admitted": []}
        self.client = socketio.Client(reconnection=False, websocket_extra_options={"origin": shop.url, "timeout": 5})
        for event, heard in self.told.items():
            self.client.on(event, heard.append)
        headers = {"Cookie": cookies_of(session)} if session else {}
        self.client.connect(shop.url, transports=["websocket"], headers=headers, wait_timeout=10)

    def watch(self, slug: object) -> dict[str, Any]:
        return self.client.call("watch_sale", {"sale": slug}, timeout=10)

    def positions(self) -> list[int | None]:
        return [place["position"] for place in self.told["place"]]


Watch = Callable[..., Watcher]


@pytest.fixture
def watch(served: RunningShop) -> Iterator[Watch]:
    """Somebody with a socket: `watch(session)`; it is closed after the test."""
    opened: list[Watcher] = []

    def open_one(session: requests.Session | None = None) -> Watcher:
        opened.append(Watcher(served, session))
        return opened[-1]

    yield open_one
    for one in opened:
        one.client.disconnect()


def test_the_acknowledgement_says_how_the_sale_and_the_place_stand(
    served: RunningShop, watch: Watch, waiting_sale: Callable[..., str]
) -> None:
    slug = waiting_sale("S30")
    ada, bob = join(served, slug), join(served, slug)

    answer = watch(bob).watch(slug)

    assert (answer["sale"]["sale"], answer["sale"]["state"], answer["sale"]["available"]) == (slug, "open", 50)
    assert (answer["place"]["state"], answer["place"]["position"], answer["place"]["ahead"]) == ("waiting", 2, 1)
    as_json = place_of(served, slug, bob)
    assert answer["place"].keys() == as_json.keys()
    assert place_of(served, slug, ada)["position"] == 1


def test_somebody_without_a_place_hears_of_the_sale_alone(
    backstage: Backstage, watch: Watch, waiting_sale: Callable[..., str]
) -> None:
    slug = waiting_sale("S31")
    stranger = watch()

    answer = stranger.watch(slug)
    backstage.say(slug, "More are on the way")

    assert answer["place"] is None
    wait_until(lambda: stranger.told["sale"] and stranger.told["sale"][-1]["message"] == "More are on the way", 3)
    assert stranger.told["place"] == []


@pytest.mark.parametrize("slug", ["none-such", "", None, 5, ["drop"], "\x00", "\ud800", "x" * 9000])
def test_what_is_no_sale_is_a_problem_and_the_socket_lives(watch: Watch, slug: object) -> None:
    socket = watch()

    answer = socket.watch(slug)

    assert answer["status"] in (404, 422), answer
    assert socket.watch("none-such")["code"] == "unknown_sale"


def test_each_line_of_a_shopper_hears_that_the_place_has_moved_up(
    served: RunningShop, watch: Watch, waiting_sale: Callable[..., str]
) -> None:
    slug = waiting_sale("S32")
    ahead, bob, cyd = join(served, slug), join(served, slug), join(served, slug)
    tabs = [watch(bob) for _ in range(4)]  # dealt out to two processes
    other = watch(cyd)
    for one in [*tabs, other]:
        one.watch(slug)

    ahead.delete(f"{served.url}/api/v1/sales/{slug}/tickets/me", timeout=10)

    wait_until(lambda: all(tab.positions()[-1:] == [1] for tab in tabs) and other.positions()[-1:] == [2], 5)
    assert all(len(tab.told["place"]) == 1 for tab in tabs)


def test_nothing_is_told_where_nothing_has_changed(
    served: RunningShop, watch: Watch, waiting_sale: Callable[..., str]
) -> None:
    slug = waiting_sale("S33")
    bob = watch(join(served, slug))
    bob.watch(slug)

    time.sleep(3)

    assert bob.told["place"] == []
    assert len(bob.told["sale"]) <= 1


def test_who_is_let_in_hears_it_at_once(backstage: Backstage, served: RunningShop, watch: Watch) -> None:
    slug = backstage.sale("S34", opens_in_ms=3_600_000, lobby_seconds=7_200)
    wait_until(lambda: state_of(served, slug) == "lobby")
    bob = join(served, slug)
    socket = watch(bob)
    socket.watch(slug)

    backstage.change(slug, "open")

    wait_until(lambda: socket.told["admitted"], 3)
    wait_until(lambda: socket.told["place"] and socket.told["place"][-1]["state"] == "admitted", 3)
    assert socket.told["admitted"][0].keys() == {"sale", "pass_expires_at"}
    assert socket.told["place"][-1]["pass_expires_at"] == socket.told["admitted"][0]["pass_expires_at"]
    assert [sale["state"] for sale in socket.told["sale"] if sale["state"] != "lobby"][:1] == ["open"]


def test_sold_out_reaches_everybody_within_a_second(
    backstage: Backstage, served: RunningShop, watch: Watch, waiting_sale: Callable[..., str]
) -> None:
    slug = waiting_sale("S35", limit_units=50, rate=1_000)
    taker = join(served, slug)
    wait_until(lambda: place_of(served, slug, taker)["state"] == "admitted", 10)
    waiting, stranger = watch(join(served, slug)), watch()
    for one in (waiting, stranger):
        one.watch(slug)

    served.add(taker, "S35", 50).raise_for_status()

    wait_until(lambda: state_of(served, slug) == "sold_out")
    told = time.monotonic()
    for one in (waiting, stranger):
        wait_until(lambda one=one: one.told["sale"] and one.told["sale"][-1]["state"] == "sold_out", 1)  # type: ignore[misc]
    assert time.monotonic() - told < 1


def test_watchers_are_put_back_into_a_queue_that_was_lost(
    backstage: Backstage, served: RunningShop, watch: Watch, waiting_sale: Callable[..., str]
) -> None:
    slug = waiting_sale("S36")
    people = [join(served, slug) for _ in range(3)]
    sockets = [watch(one) for one in people]
    before = [socket.watch(slug)["place"]["position"] for socket in sockets]

    with backstage.room() as room:
        room.redis.unlink(keys.line(slug), keys.head(slug), keys.admitted(slug))

    wait_until(lambda: state_of(served, slug) == "open", 10)
    wait_until(lambda: requests.get(f"{served.url}/api/v1/sales/{slug}", timeout=5).json()["waiting"] == 3, 10)
    after = [place_of(served, slug, one)["position"] for one in people]
    assert before == after == [1, 2, 3]
    wait_until(lambda: any(sale["reason"] == "coming_back" for sale in sockets[0].told["sale"]))


def test_a_socket_that_has_left_is_forgotten(
    backstage: Backstage, served: RunningShop, watch: Watch, waiting_sale: Callable[..., str]
) -> None:
    slug = waiting_sale("S37")
    gone, stays = watch(join(served, slug)), watch(join(served, slug))
    for one in (gone, stays):
        one.watch(slug)

    gone.client.disconnect()
    with backstage.room() as room:
        room.redis.unlink(keys.line(slug), keys.head(slug))

    wait_until(lambda: stays.positions()[-1:] == [1], 15)  # nobody puts back who does not watch
    assert requests.get(f"{served.url}/api/v1/sales/{slug}", timeout=5).json()["waiting"] == 1
