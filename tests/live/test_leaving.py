"""Who leaves without a word: over bare connections to a real web process, of which one address may have three lines."""

import json
import os
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import requests

from tests.cart.shelf import product_file
from tests.live.conftest import wait_until
from tests.running import RunningShop

pytestmark = pytest.mark.skipif(
    os.environ.get("ASYNC_MODE", "eventlet") != "eventlet", reason="no other server watches its connections"
)

MOST_LINES = 3
PROCESSING_SECONDS = 0.3  # for a request to be under way
RESET = struct.pack("ii", 1, 0)
UP_TO_DATE = 9_999_999_999_999

Call = Callable[[str], socket.socket]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningShop]:
    folder: Path = tmp_path_factory.mktemp("leaving")
    with RunningShop(folder, web=1, LIVE_CONNECTIONS_PER_ADDRESS=str(MOST_LINES)) as shop:
        (folder / "products.csv").write_text(product_file("10.00", {"MUG": 50, "CAP": 50}))
        shop.prepare("catalog", "import", str(folder / "products.csv"))
        yield shop.start()


@pytest.fixture
def call(shop: RunningShop) -> Iterator[Call]:
    """Send a GET over a connection of its own: `call("/live/poll?…")`."""
    lines: list[socket.socket] = []

    def open_one(path: str) -> socket.socket:
        lines.append(socket.create_connection(("127.0.0.1", shop.port), timeout=5))
        lines[-1].sendall(request(path))
        return lines[-1]

    yield open_one
    for line in lines:
        line.close()


def request(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: shop\r\n\r\n".encode()


def close(line: socket.socket) -> None:
    line.close()


def read_what_came(line: socket.socket) -> None:
    """So that closing does not reset the connection."""
    line.setblocking(False)
    with suppress(BlockingIOError):
        line.recv(10_000)


def reset(line: socket.socket) -> None:
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    line.close()


def version_of(shop: RunningShop, sku: str) -> int:
    return requests.get(f"{shop.url}/api/v1/stock?sku={sku}", timeout=5).json()["stock"][0]["version"]


def is_room(shop: RunningShop) -> bool:
    return requests.get(f"{shop.url}/live/poll?sku=MUG:0", timeout=5).status_code == 200


@pytest.mark.parametrize("leave", [close, reset])
@pytest.mark.parametrize("path", [f"/live/poll?sku=MUG:{UP_TO_DATE}", "/live/stock?sku=MUG"])
def test_who_leaves_makes_room_at_once(
    shop: RunningShop, call: Call, path: str, leave: Callable[[socket.socket], None]
) -> None:
    wait_until(lambda: is_room(shop))
    lines = [call(path) for _ in range(MOST_LINES)]
    time.sleep(PROCESSING_SECONDS)
    assert not is_room(shop)

    for line in lines:
        read_what_came(line)
        leave(line)

    wait_until(lambda: is_room(shop), seconds=3)


def test_a_request_that_comes_during_a_poll_is_answered_after_it(shop: RunningShop, call: Call) -> None:
    line = call(f"/live/poll?sku=CAP:{version_of(shop, 'CAP')}")
    time.sleep(PROCESSING_SECONDS)

    line.sendall(request("/healthz/live"))
    time.sleep(PROCESSING_SECONDS)
    shop.add(shop.shopper(), "CAP")

    answers = read_until(line, lambda text: text.count(b"HTTP/1.1 200") == 2)
    assert b'"available":49' in answers.split(b"HTTP/1.1 200")[1]


def test_who_hangs_up_his_own_half_is_answered_at_once(call: Call) -> None:
    line = call(f"/live/poll?sku=MUG:{UP_TO_DATE}")
    time.sleep(PROCESSING_SECONDS)

    line.shutdown(socket.SHUT_WR)

    assert read_until(line, lambda text: b"\r\n\r\n" in text).startswith(b"HTTP/1.1 204")


def read_until(line: socket.socket, is_enough: Callable[[bytes], bool]) -> bytes:
    text = b""
    while not is_enough(text):
        piece = line.recv(10_000)
        assert piece, text
        text += piece
    return text


def test_a_session_that_nobody_comes_back_to_ends_and_others_go_on(shop: RunningShop) -> None:
    polling = f"{shop.url}/socket.io/?EIO=4&transport=polling"
    left, stays = (json.loads(requests.get(polling, timeout=5).text[1:])["sid"] for _ in range(2))

    requests.post(f"{polling}&sid={stays}", data="40", timeout=5)
    time.sleep(11)

    assert requests.get(f"{polling}&sid={stays}", timeout=5).status_code == 200
    assert requests.get(f"{polling}&sid={left}", timeout=5).status_code == 400
