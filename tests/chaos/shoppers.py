"""The load: shoppers who add, dawdle, extend, lower, remove, order and cancel, and never trust a lost answer."""

import random
import threading
import time
from collections import Counter
from datetime import datetime
from uuid import uuid4

from tests.chaos.client import Client
from tests.chaos.promises import HoldPromise, OrderPromise, Promises
from tests.chaos.world import PLENTY, SCARCE, World

DETAILS = {
    "email": "a@example.org", "name": "A. Shopper",
    "address": {"line1": "Long Street 1", "city": "Ghent", "postal_code": "9000", "country": "BE"},
}  # fmt: skip


class Visit:
    """One shopper's way through the shop."""

    def __init__(self, world: World, promises: Promises, dice: random.Random, hold_seconds: int):
        self.client = Client(world.port, world.secret)
        self.promises = promises
        self.dice = dice
        self.hold_seconds = hold_seconds
        self.holds: list[HoldPromise] = []

    def go(self) -> None:
        for sku in self._wishes():
            self._add(sku)
        if not self.holds:
            return
        time.sleep(self._patience())
        self._change_mind()
        if self.dice.random() < 0.75:
            self._order()

    def _wishes(self) -> list[str]:
        """Scarce things first, in a random order, so that carts cross."""
        pool = SCARCE if self.dice.random() < 0.65 else PLENTY
        return self.dice.sample(pool, self.dice.choice((1, 1, 2)))

    def _patience(self) -> float:
        """Some order at once, some dawdle past their deadline."""
        kind = self.dice.random()
        if kind < 0.45:
            return self.dice.uniform(0.0, 0.2)
        return self.dice.uniform(0.2, 0.9 if kind < 0.8 else 1.4) * self.hold_seconds

    def _add(self, sku: str) -> None:
        click, units = uuid4().hex, self.dice.choice((1, 1, 2, 3))
        by_header = self.dice.random() < 0.5
        body = {"sku": sku, "quantity": units} | ({} if by_header else {"click_id": click})
        answer = self.client.ask("POST", "/api/v1/cart/items", body, click if by_header else "")
        if answer and answer.status == 201 and answer.body["expires_at"]:
            promise = HoldPromise(click, self.client.shopper, sku, units, _ms(answer.body["expires_at"]))
            self.promises.add_hold(promise)
            self.holds.append(promise)

    def _change_mind(self) -> None:
        what = self.dice.random()
        hold = self.dice.choice(self.holds)
        path = f"/api/v1/cart/items/{hold.sku}"
        if what < 0.15:
            self._extend(hold, path)
        elif what < 0.3 and hold.units > 1:
            hold.units = self.dice.randint(1, hold.units - 1)
            self.client.ask("PUT", path, {"quantity": hold.units})
        elif what < 0.5:
            hold.may_end = True
            self.client.ask("DELETE", path)
            self.holds.remove(hold)

    def _extend(self, hold: HoldPromise, path: str) -> None:
        answer = self.client.ask("POST", f"{path}/extend")
        if answer and answer.status == 200:
            hold.deadline_ms = max(hold.deadline_ms, _ms(answer.body["expires_at"]))

    def _order(self) -> None:
        cart = self.client.ask("GET", "/api/v1/cart")
        if cart is None or not cart.body.get("items"):
            return
        if self.dice.random() < 0.25:  # reads the form for long
            time.sleep(self.dice.uniform(0.0, 1.2) * self.hold_seconds)
        key, body = uuid4().hex, {**DETAILS, "expected_total": cart.body["total"]}
        answer = self.client.ask("POST", "/api/v1/orders", body, key)
        if answer is None or answer.status != 201:
            return
        promise = OrderPromise(
            answer.body["token"], answer.body["id"], self.client.shopper, key, answer.body["total"]["amount"]
        )
        self.promises.add_order(promise)
        if self.dice.random() < 0.1:  # a double click
            again = self.client.ask("POST", "/api/v1/orders", body, key)
            if again and again.status == 201 and again.body["token"] != promise.token:
                self.promises.add_order(
                    OrderPromise(again.body["token"], again.body["id"], promise.shopper, key, promise.total)
                )
        if self.dice.random() < 0.35:
            self._cancel(promise)

    def _cancel(self, promise: OrderPromise) -> None:
        time.sleep(self.dice.uniform(0.0, 0.5))
        promise.cancelled = "asked"
        answer = self.client.ask("POST", f"/api/v1/orders/{promise.token}/cancel")
        if answer and answer.status == 200:
            promise.cancelled = "acknowledged"


def _ms(iso: str) -> int:
    return round(datetime.fromisoformat(iso).timestamp() * 1000)


class Crowd:
    """Shoppers who come back again and again until the crowd is sent home."""

    def __init__(self, world: World, promises: Promises, seed: int, size: int):
        self.world = world
        self.promises = promises
        self.codes: Counter[int] = Counter()
        self.visits = 0
        self.errors: list[str] = []
        self._home = threading.Event()
        self._threads = [
            threading.Thread(target=self._shop, args=(random.Random(f"{seed}:{number}"),), daemon=True)
            for number in range(size)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def go_home(self, seconds: float = 90.0) -> None:
        """Let everybody finish what he does."""
        self._home.set()
        deadline = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.1, deadline - time.monotonic()))

    def _shop(self, dice: random.Random) -> None:
        while not self._home.is_set():
            visit = Visit(self.world, self.promises, dice, self.world.hold_seconds)
            try:
                visit.go()
            except Exception as error:
                self.errors.append(f"{type(error).__name__}: {error}")
            visit.client.close()
            self.visits += 1
            self.codes.update(visit.client.codes)
            self._home.wait(dice.uniform(0.0, 0.15))
