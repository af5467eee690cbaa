"""Soak: what visitors leave behind in a web process who come, begin something and go without a word.

First it serves several hundred who behave: pages, WebSockets, streams, polls, opened and closed as browsers do. What it
holds then is the start. Then they come in waves of 10,000: connections that say nothing, half requests, WebSockets
broken off before and after the handshake, handshakes of Engine.IO's polling whose client never comes back, streams and
long-polls; half of them close, half reset. 250 more of each wave stay and say nothing further, until the server has
enough of them. Once all time-outs are over, memory and open files are what they were, or there is a leak.

Memory is what the process has for itself and its share of the rest (PSS); "private" are the pages it has written.
"""

import itertools
import socket
import struct
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import requests

from bench.table import print_table
from tests.browser.stocked_shop import StockedShop

WAVES, ABORTED, HALF_OPEN, WELL_BEHAVED = 3, 10_000, 250, 100
GOAL_PERCENT = 10
PATIENCE_SECONDS = 60
SESSION_SECONDS = 32  # Engine.IO gives a session up after 10 s whose client did not come back, and forgets it within 20
MORE_FILES = 5  # connections to Redis and the database come and go
PAUSE_SECONDS = 0.001
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: on, for no time

Visit = Callable[[socket.socket, str], object]


def knock(_door: socket.socket, _sku: str) -> None:
    pass


def half_a_line(door: socket.socket, _sku: str) -> None:
    door.sendall(b"GET /socket.io/?EIO=4&tra")


def half_a_request(door: socket.socket, _sku: str) -> None:
    door.sendall(b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: sh")


def half_a_body(door: socket.socket, _sku: str) -> None:
    door.sendall(
        b"POST /api/v1/cart/items HTTP/1.1\r\nHost: shop\r\nOrigin: http://shop\r\n"
        b'Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"sku": '
    )


def begun_websocket(door: socket.socket, _sku: str) -> None:
    door.sendall(
        b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: shop\r\nUpgrade: websocket\r\n"
        b"Connection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )


def websocket(door: socket.socket, sku: str) -> None:
    begun_websocket(door, sku)
    door.recv(1000)


def polling(door: socket.socket, _sku: str) -> None:
    door.sendall(b"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: shop\r\n\r\n")
    door.recv(1000)


def stream(door: socket.socket, sku: str) -> None:
    door.sendall(f"GET /live/stock?sku={sku} HTTP/1.1\r\nHost: shop\r\n\r\n".encode())
    door.recv(1000)


def long_poll(door: socket.socket, sku: str) -> None:
    door.sendall(f"GET /live/poll?sku={sku}:9999999999999 HTTP/1.1\r\nHost: shop\r\n\r\n".encode())


VISITS: tuple[Visit, ...] = (
    knock, half_a_line, half_a_request, half_a_body, begun_websocket, websocket, polling, stream, long_poll,
)  # fmt: skip
HALF_WAYS: tuple[Visit, ...] = (knock, half_a_line, half_a_request, half_a_body)


@dataclass(frozen=True)
class Holding:
    """What a process holds at a moment."""

    pss_kb: int
    private_kb: int
    files: int

    @classmethod
    def of(cls, shop: StockedShop) -> Self:
        process = Path(f"/proc/{shop.processes['web.1'].pid}")
        rows = (line.split() for line in (process / "smaps_rollup").read_text().splitlines()[1:])
        kb = {row[0]: int(row[1]) for row in rows}
        return cls(kb["Pss:"], kb["Private_Dirty:"], sum(1 for _ in (process / "fd").iterdir()))


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder, StockedShop(Path(folder), web=1) as shop:
        sku = shop.item(units=9).sku
        serve_the_well_behaved(shop, sku)
        figures = [Holding.of(shop)]
        most = figures[:]
        for _ in range(WAVES):
            half_way = come(shop, itertools.cycle(HALF_WAYS), HALF_OPEN, sku)
            for number, door in enumerate(come_one_by_one(shop, ABORTED, sku)):
                leave(door, reset=number % 2 == 0)
            most.append(Holding.of(shop))
            wait_until_given_up(shop, figures[0].files + MORE_FILES)
            figures.append(Holding.of(shop))
            for door in half_way:
                door.close()
    report(most, figures)


def serve_the_well_behaved(shop: StockedShop, sku: str) -> None:
    """Pages one after the other, then as many lines of each kind at once, closed as browsers do."""
    for _ in range(WELL_BEHAVED):
        with requests.Session() as browser:
            for path in ("/", "/cart", f"/api/v1/stock?sku={sku}"):
                browser.get(shop.url + path, timeout=10).raise_for_status()
    lines = come(shop, itertools.cycle((websocket, stream, long_poll)), 3 * WELL_BEHAVED, sku)
    shop.add(shop.shopper(), sku)  # so that the polls are answered
    time.sleep(1)
    for line in lines:
        leave(line)
    time.sleep(1)


def come(shop: StockedShop, ways: Iterable[Visit], times: int, sku: str) -> list[socket.socket]:
    return [visit(shop, how, sku) for how in itertools.islice(ways, times)]


def come_one_by_one(shop: StockedShop, times: int, sku: str) -> Iterable[socket.socket]:
    for how in itertools.islice(itertools.cycle(VISITS), times):
        yield visit(shop, how, sku)
        time.sleep(PAUSE_SECONDS)


def visit(shop: StockedShop, how: Visit, sku: str) -> socket.socket:
    door = socket.create_connection(("127.0.0.1", shop.port), timeout=10)
    how(door, sku)
    return door


def leave(door: socket.socket, reset: bool = False) -> None:
    if reset:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    door.close()


def wait_until_given_up(shop: StockedShop, files: int) -> None:
    """Until the process holds no more than `files` open, or patience is at its end."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    time.sleep(SESSION_SECONDS)
    while time.monotonic() < deadline and Holding.of(shop).files > files:
        time.sleep(0.5)


def report(most: list[Holding], figures: list[Holding]) -> None:
    start = figures[0]
    rows = [
        [
            f"wave {number}" if number else "at the start",
            f"{at_most.pss_kb / 1024:.1f}",
            f"{after.pss_kb / 1024:.1f}",
            f"{percent(after.pss_kb, start.pss_kb):+.1f} %",
            f"{after.private_kb / 1024:.1f}",
            f"{percent(after.private_kb, start.private_kb):+.1f} %",
            after.files,
        ]
        for number, (at_most, after) in enumerate(zip(most, figures, strict=True))
    ]
    header = ["MB of the web process", "last one came", "all given up", "change", "private", "change", "files"]
    print_table(f"Soak: waves of {ABORTED:,} visitors who break off, {HALF_OPEN} more stay half-way", header, rows)
    changes = [percent(figure.pss_kb, start.pss_kb) for figure in figures[1:]]
    changes += [percent(figure.private_kb, start.private_kb) for figure in figures[1:]]
    worst = max(changes, key=abs)
    met = abs(worst) <= GOAL_PERCENT and figures[-1].files <= start.files + MORE_FILES
    verdict = "met" if met else "MISSED"
    print(f"at most {worst:+.1f} % from the start (goal: within {GOAL_PERCENT} %): {verdict}", flush=True)


def percent(now: int, before: int) -> float:
    return (now / before - 1) * 100


if __name__ == "__main__":
    main()
