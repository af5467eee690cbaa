"""Many shoppers at once, each on one kept-alive connection and in a session of his own, cheap enough to leave the
core of the web process alone."""

import asyncio
import os
import re
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

WARM_UP_SECONDS = 0.5
LENGTH = re.compile(rb"\r\ncontent-length: (\d+)", re.IGNORECASE)
COOKIE = re.compile(rb"\r\nset-cookie: (session=[^;\r]+)", re.IGNORECASE)


@dataclass
class Tally:
    """What came of the requests sent after the warm-up: seconds each took, and how often each status."""

    seconds: float = 0.0
    took: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)

    def add(self, other: "Tally") -> None:
        self.seconds += other.seconds
        self.took += other.took
        self.statuses += other.statuses

    @property
    def per_second(self) -> float:
        return len(self.took) / self.seconds


class Shopper(asyncio.Protocol):
    """Sends the same request again as soon as it is answered."""

    def __init__(self, head: bytes, body: bytes, tally: Tally, begin: float, newcomers: bool):
        self.head, self.body, self.tally, self.begin, self.newcomers = head, body, tally, begin, newcomers
        self.cookie = b""
        self.received = b""
        self.sent_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._send()

    def _send(self) -> None:
        self.sent_at = time.perf_counter()
        self.transport.write(self.head + self.cookie + b"\r\n" + self.body)

    def data_received(self, data: bytes) -> None:
        self.received += data
        head, gap, body = self.received.partition(b"\r\n\r\n")
        length = LENGTH.search(head)
        if not gap or (length and len(body) < int(length[1])):
            return
        self.received = b""
        self._note(int(head[9:12]))
        cookie = None if self.cookie or self.newcomers else COOKIE.search(head)
        if cookie:
            self.cookie = b"Cookie: " + cookie[1] + b"\r\n"
        self._send()

    def _note(self, status: int) -> None:
        if self.sent_at >= self.begin:
            self.tally.took.append(time.perf_counter() - self.sent_at)
            self.tally.statuses[status] += 1


def run(
    port: int, method: str, path: str, body: bytes, shoppers: int, seconds: float, newcomers: bool = False
) -> Tally:
    """Let `shoppers` send one request over and over for `seconds` after a warm-up.

    newcomers: they keep no cookie, so each request is that of somebody new.
    """
    return asyncio.run(_run(port, request_head(port, method, path, body), body, shoppers, seconds, newcomers))


def request_head(port: int, method: str, path: str, body: bytes) -> bytes:
    """Everything before the cookie; the Origin is that of the shop's own pages."""
    host = f"127.0.0.1:{port}"
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", f"Origin: http://{host}", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "Content-Type: application/json", ""]).encode()


async def _run(port: int, head: bytes, body: bytes, shoppers: int, seconds: float, newcomers: bool) -> Tally:
    tally, begin = Tally(seconds), time.perf_counter() + WARM_UP_SECONDS
    loop = asyncio.get_running_loop()
    connections = [
        await loop.create_connection(lambda: Shopper(head, body, tally, begin, newcomers), "127.0.0.1", port)
        for _ in range(shoppers)
    ]
    await asyncio.sleep(begin + seconds - time.perf_counter())
    for transport, _ in connections:
        transport.abort()
    return tally


def pin(pid: int, cores: Iterable[int]) -> None:
    """Keep a process (0: this one) on `cores`, where the system can do that and has more than one."""
    if hasattr(os, "sched_setaffinity") and (os.cpu_count() or 1) > 1:
        os.sched_setaffinity(pid, cores)
