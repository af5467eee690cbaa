"""Customers: each puts something in his cart and orders it, at a steady pace, on one kept-alive connection."""

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import uuid4

from bench.shoppers import COOKIE, LENGTH, request_head

PRICE = "12.50"  # of everything in the shop, see tests/browser/stocked_shop.py
ADDRESS = {
    "line1": "Lindenallee 3", "line2": "", "city": "Münster", "postal_code": "48143", "region": "", "country": "DE"
}  # fmt: skip
DETAILS = {
    "email": "ann@example.org", "name": "Ann Example", "address": ADDRESS,
    "expected_total": {"amount": PRICE, "currency": "EUR"},
}  # fmt: skip


@dataclass
class Visits:
    """Seconds that adds and checkouts took, and how often each status came."""

    adds: list[float] = field(default_factory=list)
    checkouts: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)

    def add(self, other: "Visits") -> None:
        self.adds += other.adds
        self.checkouts += other.checkouts
        self.statuses += other.statuses


def shop_on(port: int, skus: Sequence[str], customers: int, pause_seconds: float, seconds: float) -> Visits:
    """Let each of `customers` begin to add and order every `pause_seconds`, for `seconds`."""
    return asyncio.run(_all(port, skus, customers, pause_seconds, seconds))


async def _all(port: int, skus: Sequence[str], customers: int, pause_seconds: float, seconds: float) -> Visits:
    visits = Visits()
    begin = time.perf_counter()
    await asyncio.gather(
        *(
            Customer(port, skus, visits).shop(
                begin + pause_seconds * number / customers, pause_seconds, begin + seconds
            )
            for number in range(customers)
        )
    )
    return visits


class Customer:
    """One of them; times go to `visits`."""

    def __init__(self, port: int, skus: Sequence[str], visits: Visits):
        self._port, self._skus, self._visits = port, skus, visits
        self._cookie = b""

    async def shop(self, at: float, pause_seconds: float, until: float) -> None:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        while at < until:
            await asyncio.sleep(at - time.perf_counter())
            wish = {"sku": random.choice(self._skus), "quantity": 1}
            self._visits.adds.append(await self._post("/api/v1/cart/items", wish))
            self._visits.checkouts.append(await self._post("/api/v1/orders", DETAILS))
            at = max(at + pause_seconds, time.perf_counter())
        self._writer.close()

    async def _post(self, path: str, wish: Mapping[str, object]) -> float:
        """Send and wait for the whole answer; return the seconds that it took."""
        body = json.dumps(wish).encode()
        key = f"Idempotency-Key: {uuid4()}\r\n".encode()
        begin = time.perf_counter()
        self._writer.write(request_head(self._port, "POST", path, body) + key + self._cookie + b"\r\n" + body)
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = LENGTH.search(head)
        assert length is not None, head
        await self._reader.readexactly(int(length[1]))
        seconds = time.perf_counter() - begin
        self._visits.statuses[int(head[9:12])] += 1
        cookie = COOKIE.search(head)
        if cookie:
            self._cookie = b"Cookie: " + cookie[1] + b"\r\n"
        return seconds
