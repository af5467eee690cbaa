"""Socket.IO against two real web processes."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
import requests
import socketio

from tests.live.conftest import wait_until
from tests.running import RunningShop


class Socket:
    """A Socket.IO client over WebSocket that remembers the `stock` events it got."""

    def __init__(self, shop: RunningShop, **websocket_options: Any):
        self.stock: list[dict[str, Any]] = []
        self.client = socketio.Client(
            reconnection=False, websocket_extra_options={"origin": shop.url, "timeout": 5, **websocket_options}
        )
        self.client.on("stock", self.stock.append)

    def connect(self, shop: RunningShop, cookie: str = "") -> "Socket":
        headers = {"Cookie": cookie} if cookie else {}
        self.client.connect(shop.url, transports=["websocket"], headers=headers, wait_timeout=10)
        return self

    def call(self, event: str, message: Any = None) -> Any:
        return self.client.call(event, message, timeout=10)

    def versions(self, sku: str) -> list[int]:
        return [state["version"] for state in self.stock if state["sku"] == sku]


Connect = Callable[..., Socket]


@pytest.fixture
def connect(served: RunningShop) -> Iterator[Connect]:
    """Open a socket: `connect(cookie=…, origin=…)`; closed after the test."""
    opened: list[Socket] = []

    def open_one(cookie: str = "", **options: Any) -> Socket:
        opened.append(Socket(served, **options))
        return opened[-1].connect(served, cookie)

    yield open_one
    for socket in opened:
        socket.client.disconnect()


def shopper(shop: RunningShop, sku: str) -> tuple[requests.Session, str]:
    """A shopper with an empty cart, and his cookie."""
    session = shop.shopper()
    shop.add(session, sku)
    session.delete(f"{shop.url}/api/v1/cart/items/{sku}")
    return session, f"session={session.cookies['session']}"


def held(shop: RunningShop, session: requests.Session, sku: str) -> int:
    items = session.get(f"{shop.url}/api/v1/cart", timeout=10).json()["items"]
    return sum(item["quantity"] for item in items if item["sku"] == sku)


def test_the_acknowledgement_of_watch_is_the_snapshot(served: RunningShop, connect: Connect) -> None:
    answer = connect().call("watch", {"skus": ["S0", "S1"]})

    assert answer.keys() == {"epoch", "stock"}
    assert [state["sku"] for state in answer["stock"]] == ["S0", "S1"]
    assert answer["stock"][0].keys() == {"sku", "available", "version", "epoch", "state", "at_ms"}


def test_a_change_through_any_process_reaches_the_watchers_of_every_process(
    served: RunningShop, connect: Connect
) -> None:
    sockets = [connect() for _ in range(8)]  # the kernel deals them out to the two processes
    for socket in sockets:
        socket.call("watch", {"skus": ["S2"]})

    for _ in range(6):
        version = served.add(served.shopper(), "S2").json()["version"]
        for socket in sockets:
            wait_until(lambda socket=socket, version=version: version in socket.versions("S2"))  # type: ignore[misc]

    assert all(socket.versions("S2") == sorted(socket.versions("S2")) for socket in sockets)
    assert sockets[0].stock[-1]["available"] == 44


def test_other_skus_are_not_heard(served: RunningShop, connect: Connect) -> None:
    socket = connect()
    socket.call("watch", {"skus": ["S3"]})

    served.add(served.shopper(), "S4")
    version = served.add(served.shopper(), "S3").json()["version"]

    wait_until(lambda: version in socket.versions("S3"))
    assert socket.versions("S4") == []


def test_after_unwatch_nothing_is_heard(served: RunningShop, connect: Connect) -> None:
    socket = connect()
    socket.call("watch", {"skus": ["S5", "S6"]})

    socket.call("unwatch", {"skus": ["S5"]})
    served.add(served.shopper(), "S5")
    version = served.add(served.shopper(), "S6").json()["version"]

    wait_until(lambda: version in socket.versions("S6"))
    assert socket.versions("S5") == []


def test_a_lowered_quantity_and_a_release_are_pushed(served: RunningShop, connect: Connect) -> None:
    socket = connect()
    socket.call("watch", {"skus": ["S7"]})
    session = served.shopper()
    assert served.add(session, "S7", 3).status_code == 201

    lowered = session.put(f"{served.url}/api/v1/cart/items/S7", json={"quantity": 1}, timeout=10)
    assert (lowered.status_code, lowered.json()["items"][0]["quantity"]) == (200, 1)
    wait_until(lambda: socket.stock and socket.stock[-1]["available"] == 49)
    session.delete(f"{served.url}/api/v1/cart/items/S7", timeout=10)

    wait_until(lambda: socket.stock[-1]["available"] == 50)


def test_a_reserve_is_acknowledged_as_the_api_answers_and_is_in_the_cart(served: RunningShop, connect: Connect) -> None:
    session, cookie = shopper(served, "S8")

    answer = connect(cookie=cookie).call("reserve", {"sku": "S8", "quantity": 2, "click_id": "c"})

    assert {"sku", "quantity", "available", "version", "expires_at"} <= answer.keys()
    assert (answer["sku"], answer["quantity"], answer["available"]) == ("S8", 2, 48)
    assert held(served, session, "S8") == 2


def test_a_click_that_is_sent_twice_holds_once(served: RunningShop, connect: Connect) -> None:
    session, cookie = shopper(served, "S9")
    socket = connect(cookie=cookie)

    for _ in range(2):
        socket.call("reserve", {"sku": "S9", "quantity": 1, "click_id": "c"})
    served.add(session, "S9", click_id="c")

    assert held(served, session, "S9") == 1


def test_a_click_of_a_visitor_without_cookie_holds_once(served: RunningShop, connect: Connect) -> None:
    socket = connect()

    answers = [socket.call("reserve", {"sku": "S10", "quantity": 1, "click_id": "c"}) for _ in range(2)]

    assert [answer["available"] for answer in answers] == [49, 49]


def test_a_reserve_that_is_refused_is_acknowledged_as_a_problem(served: RunningShop, connect: Connect) -> None:
    _, cookie = shopper(served, "S11")
    socket = connect(cookie=cookie)

    too_many = socket.call("reserve", {"sku": "S11", "quantity": 51})
    unknown = socket.call("reserve", {"sku": "NONE", "quantity": 1})

    assert (too_many["status"], too_many["code"], too_many["available"]) == (409, "insufficient_stock", 50)
    assert (unknown["status"], unknown["code"]) == (404, "unknown_sku")


@pytest.mark.parametrize("quantity", [0, -1, 1.5, "two", True, None, [], {}, 10**30])
def test_a_wrong_quantity_is_a_problem(connect: Connect, quantity: object) -> None:
    answer = connect().call("reserve", {"sku": "S12", "quantity": quantity})

    assert (answer["status"], answer["code"]) == (422, "invalid_quantity")


def test_a_socket_from_another_site_is_refused(served: RunningShop, connect: Connect) -> None:
    with pytest.raises(socketio.exceptions.ConnectionError):
        connect(origin="https://evil.example")


def test_a_socket_without_origin_may_watch_and_not_reserve(served: RunningShop, connect: Connect) -> None:
    session, cookie = shopper(served, "S13")
    socket = connect(cookie=cookie, origin=None, suppress_origin=True)

    watched = socket.call("watch", {"skus": ["S13"]})
    answer = socket.call("reserve", {"sku": "S13", "quantity": 1})

    assert watched["stock"][0]["sku"] == "S13"
    assert (answer["status"], answer["code"]) == (403, "cross_origin")
    assert held(served, session, "S13") == 0


MALFORMED: list[tuple[str, Any]] = [
    ("watch", None), ("watch", "S14"), ("watch", 5), ("watch", []), ("watch", {}), ("watch", {"skus": None}),
    ("watch", {"skus": "S14"}), ("watch", {"skus": []}), ("watch", {"skus": [5]}), ("watch", {"skus": [None]}),
    ("watch", {"skus": [""]}), ("watch", {"skus": [{"sku": "S14"}]}), ("watch", {"skus": ["S14", "NONE"]}),
    ("watch", {"skus": ["\ud800"]}), ("watch", {"skus": ["\x00"]}), ("watch", b"\xff\xfe"),
    ("watch", {"skus": [f"X{number}" for number in range(201)]}), ("watch", ("one", "two")),
    ("unwatch", None), ("unwatch", {"skus": 5}),
    ("reserve", None), ("reserve", "S14"), ("reserve", {}), ("reserve", {"sku": 5, "quantity": 1}),
    ("reserve", {"sku": "\ud800", "quantity": 1}), ("reserve", {"sku": "S14", "quantity": 1, "click_id": "\ud800"}),
    ("reserve", {"sku": "S14", "quantity": 1, "click_id": 5}), ("reserve", {"sku": "S14", "quantity": 1, "seen": "x"}),
    ("reserve", {"sku": "S14", "quantity": float("nan")}), ("reserve", {"sku": "S14", "quantity": b"\x00"}),
]  # fmt: skip


def test_a_malformed_message_is_answered_with_a_problem_and_the_socket_lives(connect: Connect) -> None:
    socket = connect()

    answers = [socket.call(event, message) for event, message in MALFORMED]

    for (event, message), answer in zip(MALFORMED, answers, strict=True):
        assert answer.get("status", 0) in (404, 422), (event, message, answer)
        assert answer["code"], (event, message, answer)
    assert socket.call("watch", {"skus": ["S14"]})["stock"][0]["available"] == 50


def test_the_stream_and_the_poll_of_every_process_hear_a_change(served: RunningShop) -> None:
    heard: list[int] = []

    def listen() -> None:
        known = requests.get(f"{served.url}/api/v1/stock?sku=S15", timeout=5).json()["stock"][0]["version"]
        started.release()
        answer = requests.get(f"{served.url}/live/poll?sku=S15:{known}", timeout=15)
        heard.append(answer.json()["stock"][0]["available"])

    started = threading.Semaphore(0)
    streams = [requests.get(f"{served.url}/live/stock?sku=S15", stream=True, timeout=10) for _ in range(4)]
    polls = [threading.Thread(target=listen) for _ in range(6)]
    for poll in polls:
        poll.start()
    for _ in polls:
        started.acquire(timeout=5)

    served.add(served.shopper(), "S15")
    for poll in polls:
        poll.join(15)

    assert heard == [49] * 6
    for stream in streams:
        lines = (line for line in stream.iter_lines(chunk_size=1) if line.startswith(b"data:"))
        assert b'"available":50' in next(lines)
        assert b'"available":49' in next(lines)
        stream.close()


def test_a_socket_that_asks_too_often_is_told_so_and_others_are_served(served: RunningShop, connect: Connect) -> None:
    hasty, patient = connect(), connect()

    answers: list[Any] = []
    for _ in range(200):  # without waiting, else a slow machine asks no more than is allowed
        hasty.client.emit("watch", {"skus": ["S24"]}, callback=answers.append)
    wait_until(lambda: len(answers) == 200, seconds=30)

    refused = [answer for answer in answers if answer.get("code") == "too_many_events"]
    assert 0 < len(refused) <= 200 - 60
    assert refused[0]["status"] == 429
    assert patient.client.call("watch", {"skus": ["S24"]})["stock"][0]["available"] == 50


@pytest.mark.skipif(os.environ.get("ASYNC_MODE", "eventlet") != "eventlet", reason="counted on straight wires only")
def test_a_socket_that_floods_is_cut(served: RunningShop, connect: Connect) -> None:
    flood = connect()
    gone = threading.Event()
    flood.client.on("disconnect", lambda *_: gone.set())

    with suppress(socketio.exceptions.SocketIOError):  # it is cut while it speaks
        for _ in range(2_000):
            flood.client.emit("watch", {"skus": ["S24"]})

    assert gone.wait(30)
