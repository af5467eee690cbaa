"""SIGTERM to any process at any moment under load: nothing is oversold, nothing is lost, stock is true."""

import os
import random
import signal
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from typing import Any

import requests

from storefront import create_app
from storefront.core.config import load_settings
from storefront.core.redis import connect
from storefront.core.tools import take
from storefront.stock.stockroom import Stockroom
from storefront.stock.verify import verify
from tests.cart.shelf import DETAILS
from tests.running import RunningShop

SHOPPERS = 5
PATIENCE_SECONDS = 60.0
UNITS = {"ONE": 30, "TWO": 60, "THREE": 400}
ROUNDS = ["web.1", "redis", "worker.1", "web.2", "clock.1", "redis", "everything"]


class Crowd:
    """Shoppers who hold, let go and order without end, and remember what they were told."""

    def __init__(self, shop: RunningShop, seed: int):
        self.shop = shop
        self.tokens: list[str] = []
        self.statuses: list[int] = []
        self.crashes: list[str] = []
        self._busy = threading.Event()
        self._over = False
        self._threads = [threading.Thread(target=self._shop, args=(random.Random(seed + n),)) for n in range(SHOPPERS)]
        for thread in self._threads:
            thread.start()

    def go(self) -> None:
        self._busy.set()

    def wait_for_answers(self, count: int) -> None:
        """Go on until there are so many more: a slow machine has to be as busy as a fast one."""
        most, deadline = len(self.statuses) + count, time.monotonic() + PATIENCE_SECONDS
        while len(self.statuses) < most:
            assert time.monotonic() < deadline, Counter(self.statuses)
            time.sleep(0.01)

    def rest(self) -> None:
        self._busy.clear()

    def leave(self) -> None:
        self._over = True
        self._busy.set()
        for thread in self._threads:
            thread.join(PATIENCE_SECONDS)

    def _shop(self, dice: random.Random) -> None:
        while not self._over:
            self._busy.wait()
            try:
                self._visit(self.shop.shopper(), dice)
            except requests.RequestException:
                time.sleep(0.05)  # the process that was asked is gone

    def _visit(self, session: requests.Session, dice: random.Random) -> None:
        skus = dice.sample(list(UNITS), dice.choice((1, 2)))
        held = [sku for sku in skus if self._note(self.shop.add(session, sku)).status_code == 201]
        if held and dice.random() < 0.5:
            answer = self._note(self._order(session, 10 * len(held), str(dice.random())))
            if answer.status_code == 201:
                self.tokens.append(answer.json()["token"])
        elif held and dice.random() < 0.7:
            self._note(session.delete(f"{self.shop.url}/api/v1/cart/items/{held[0]}", timeout=10))

    def _order(self, session: requests.Session, amount: int, key: str) -> requests.Response:
        body: Any = {**DETAILS, "expected_total": {"amount": f"{amount}.00", "currency": "EUR"}}
        return session.post(f"{self.shop.url}/api/v1/orders", json=body, headers={"Idempotency-Key": key}, timeout=10)

    def _note(self, answer: requests.Response) -> requests.Response:
        self.statuses.append(answer.status_code)
        if answer.status_code >= 500 and answer.status_code != 503:
            self.crashes.append(answer.text)
        return answer


def redis_process(shop: RunningShop) -> int:
    """The id of the Redis server. Raises redis' errors where none answers."""
    return int(connect(shop.redis.url).info("server")["process_id"])


def stop(shop: RunningShop, name: str) -> None:
    """Send SIGTERM to a process, to Redis, or to everything at once, and wait for its end."""
    if name in ("redis", "everything"):
        os.kill(redis_process(shop), signal.SIGTERM)
    if name != "redis":
        shop.stop(None if name == "everything" else [name])


def stockroom_beside(shop: RunningShop) -> Stockroom:
    """The stock of a running shop, as one more process sees it."""
    with create_app(load_settings(shop.environ)).app_context():
        return take("stockroom")


def ordered(shop: RunningShop) -> dict[str, int]:
    """Units of placed orders by SKU."""
    with closing(sqlite3.connect(shop.folder / "shop.db")) as database:
        return dict(database.execute("SELECT sku, SUM(quantity) FROM order_lines GROUP BY sku"))


def tokens(shop: RunningShop) -> set[str]:
    with closing(sqlite3.connect(shop.folder / "shop.db")) as database:
        return {token for (token,) in database.execute("SELECT token FROM orders")}


def test_sigterm_to_any_process_at_any_moment_leaves_stock_true(open_shop: Callable[..., RunningShop]) -> None:
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")
    dice = random.Random(seed)
    shop = open_shop(UNITS, HOLD_SECONDS="2", RATELIMIT_ENABLED="false")
    room = stockroom_beside(shop)
    crowd = Crowd(shop, seed)

    try:
        for name in ROUNDS:
            crowd.go()
            crowd.wait_for_answers(25)
            time.sleep(dice.uniform(0.0, 0.5))
            stop(shop, name)
            time.sleep(dice.uniform(0.0, 0.3))
            crowd.rest()
            if name in ("redis", "everything"):
                shop.flask("stock", "rebuild", "--if-closed")  # a release, which may meet a Redis that is coming back
            shop.start()
            assert verify(room) == [], (seed, name)
    finally:
        crowd.leave()
    verified = shop.flask("stock", "verify", check=False)

    print(f"answers {Counter(crowd.statuses)}, orders {len(crowd.tokens)}")
    assert verified.returncode == 0, (seed, verified.stdout)
    assert set(crowd.tokens) <= tokens(shop)
    assert all(units <= UNITS[sku] for sku, units in ordered(shop).items())
    assert len(crowd.tokens) > 10
    assert crowd.crashes == [], (seed, shop.logs())
