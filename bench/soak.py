"""Soak: what visitors leave behind in a web process who come, begin something and go without a word.

They come in waves of 5,000, some of each staying half-way through a request; between two waves the process has time to
give up whoever is gone. Memory is that of the process (RSS). The first wave sets it up for so many visitors at once;
what the next ones add would be a leak.
"""

import itertools
import socket
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.table import print_table
from tests.browser.stocked_shop import StockedShop

WAVES, ABORTED, HALF_OPEN = 3, 5_000, 250
GOAL_PERCENT = 10
PATIENCE_SECONDS = 90  # a client of Engine.IO that says nothing is given 45 s
PAUSE_SECONDS = 0.002

Visit = Callable[[socket.socket, str], None]


def knock(_door: socket.socket, _sku: str) -> None:
    pass


def half_a_request(door: socket.socket, _sku: str) -> None:
    door.sendall(b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: sh")


def websocket(door: socket.socket, _sku: str) -> None:
    door.sendall(
        b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: shop\r\nUpgrade: websocket\r\n"
        b"Connection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    door.recv(100)


def polling(door: socket.socket, _sku: str) -> None:
    door.sendall(b"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: shop\r\n\r\n")
    door.recv(100)


def stream(door: socket.socket, sku: str) -> None:
    door.sendall(f"GET /live/stock?sku={sku} HTTP/1.1\r\nHost: shop\r\n\r\n".encode())
    door.recv(100)


def long_poll(door: socket.socket, sku: str) -> None:
    door.sendall(f"GET /live/poll?sku={sku}:9999999999999 HTTP/1.1\r\nHost: shop\r\n\r\n".encode())


VISITS: tuple[Visit, ...] = (knock, half_a_request, websocket, polling, stream, long_poll)


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder, StockedShop(Path(folder), web=1) as shop:
        sku = shop.item(units=9).sku
        figures = [(rss_kb(shop), rss_kb(shop))]
        for _ in range(WAVES):
            half_way = [visit(shop, half_a_request, sku) for _ in range(HALF_OPEN)]
            come_and_go(shop, sku, ABORTED)
            at_most = rss_kb(shop)
            wait_until_gone(shop)
            figures.append((at_most, rss_kb(shop)))
            for door in half_way:
                door.close()
    report(figures)


def come_and_go(shop: StockedShop, sku: str, times: int) -> None:
    for how in itertools.islice(itertools.cycle(VISITS), times):
        visit(shop, how, sku).close()
        time.sleep(PAUSE_SECONDS)


def visit(shop: StockedShop, how: Visit, sku: str) -> socket.socket:
    door = socket.create_connection(("127.0.0.1", shop.port), timeout=10)
    how(door, sku)
    return door


def wait_until_gone(shop: StockedShop) -> None:
    """Until the process holds no more connections than at rest, or patience is at its end."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline and connections(shop) > 0:
        time.sleep(1)
    time.sleep(50)  # sessions of those who polled have no connection; they end by their ping


def connections(shop: StockedShop) -> int:
    """Established TCP connections to the shop's port."""
    rows = Path("/proc/net/tcp").read_text().splitlines()[1:]
    port = f":{shop.port:04X}"
    return sum(row.split()[1].endswith(port) and row.split()[3] == "01" for row in rows)


def rss_kb(shop: StockedShop) -> int:
    status = Path(f"/proc/{shop.processes['web.1'].pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])


def report(figures: list[tuple[int, int]]) -> None:
    rows = [
        [f"wave {number}" if number else "at the start", f"{at_most / 1024:.1f}", f"{after / 1024:.1f}"]
        for number, (at_most, after) in enumerate(figures)
    ]
    header = ["MB of the web process", "when the last one came", "when all were given up"]
    print_table(f"Soak: waves of {ABORTED:,} visitors who break off, {HALF_OPEN} of them half-way", header, rows)
    grown = (figures[-1][1] / figures[1][1] - 1) * 100
    verdict = "met" if grown <= GOAL_PERCENT else "MISSED"
    print(f"grown after the first wave by {grown:+.1f} % (goal: at most {GOAL_PERCENT} %): {verdict}", flush=True)


if __name__ == "__main__":
    main()
