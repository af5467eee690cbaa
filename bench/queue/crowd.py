"""The crowd: `python -m bench.queue.crowd SLUG`, told what to do by a line of JSON each, answers with one.

It calls what the routes and the worker's shoppers call, in one process of green threads; and it keeps
a model of its own of who waits, against which every position is checked.
"""

import eventlet

eventlet.monkey_patch()

import json
import random
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from uuid import uuid4

from flask import Flask

from storefront import create_app
from storefront.cart import basket
from storefront.cart.lines import lines_of, total
from storefront.core.errors import Refusal
from storefront.core.tools import take
from storefront.orders.checkout import Purchase, place
from storefront.orders.forms import Details
from storefront.stock.outcomes import PassRequired
from storefront.waiting_room import keys, queue, scripts
from storefront.waiting_room.joining import Joiner
from storefront.waiting_room.outcomes import Ticket

THREADS = 400
LEAVE_AT_ONCE = 200
TILLS = 16  # people who buy at the same moment
MOST_SECONDS = 180.0
DETAILS = Details(
    email="ada@example.org", name="Ada", line1="Hill Street 1", line2="", city="Ulm", postal_code="89073", region="",
    country="DE",
)  # fmt: skip


class Crowd:
    """People by ordinal: who they are, and whether they wait."""

    def __init__(self, app: Flask, slug: str):
        self.app, self.slug = app, slug
        self.room, self.entrance, self.signer = take("stockroom"), take("entrance"), take("tickets")
        self.shoppers: dict[int, str] = {}
        self.waiting = bytearray(1)
        self.bought: list[float] = []
        self.dice = random.Random(1)

    def join(self, people: int) -> dict[str, Any]:
        """Let `people` join, each on his own; their ordinals are the order in which they were taken in."""
        left = people
        began = time.perf_counter()

        def come() -> None:
            nonlocal left
            while left > 0:
                left -= 1
                shopper = uuid4().hex
                joined = self.entrance.join(Joiner(self.slug, shopper))
                self.signer.sign(self.slug, joined.ticket)
                self.note(joined.ticket.ordinal, shopper)

        for thread in [eventlet.spawn(come) for _ in range(THREADS)]:
            thread.wait()
        return {"seconds": time.perf_counter() - began}

    def note(self, ordinal: int, shopper: str) -> None:
        if ordinal >= len(self.waiting):
            self.waiting.extend(bytes(ordinal + 1000 - len(self.waiting)))
        self.waiting[ordinal] = 1
        self.shoppers[ordinal] = shopper

    def others(self, ordinals: list[int]) -> dict[str, Any]:
        """Take note of people who joined elsewhere and do not leave."""
        for ordinal in ordinals:
            self.note(ordinal, "")
        return {}

    def leave(self, share: float) -> dict[str, Any]:
        """Let a share of those who wait leave, wherever they stand."""
        gone = [one for one, who in self.shoppers.items() if who and self.waiting[one] and self.dice.random() < share]
        names = [
            name(self.slug) for name in (keys.head, keys.line, keys.admitted, keys.active, keys.news, keys.flow)
        ]  # fmt: skip
        self.room.redis.script_load(scripts.leave.source)  # within a pipeline it cannot be loaded when it is missed
        for start in range(0, len(gone), LEAVE_AT_ONCE):
            pipeline = self.room.redis.pipeline(transaction=False)
            for ordinal in gone[start : start + LEAVE_AT_ONCE]:
                scripts.leave(pipeline, names, self.room.fence.run_id, self.shoppers[ordinal])
                self.waiting[ordinal] = 0
            pipeline.execute()
        return {"left": len(gone)}

    def position(self, ordinal: int) -> int:
        """Where somebody stands by our own model."""
        return self.waiting.count(1, 0, ordinal) + 1

    def check(self, sample: int) -> dict[str, Any]:
        """Compare positions with the model: the largest difference, and what looking cost (us each)."""
        mine = [ordinal for ordinal, who in self.shoppers.items() if who and self.waiting[ordinal]]
        ordinals = self.dice.sample(mine, sample)
        began = time.perf_counter()
        found = []
        for start in range(0, sample, 500):
            some = [Ticket(self.shoppers[one], 1, one, False) for one in ordinals[start : start + 500]]
            found += queue.look(self.room, self.slug, some)[1]
        cost = (time.perf_counter() - began) / sample
        errors = [abs((one.position or 0) - self.position(o)) for o, one in zip(ordinals, found, strict=True)]
        return {"error": max(errors), "us": cost * 1e6}

    def positions(self, ordinals: list[int]) -> dict[str, Any]:
        return {"positions": [self.position(ordinal) for ordinal in ordinals]}

    def buy(self, units: int, sku: str, no_shows: float) -> dict[str, Any]:
        """Let everybody who is admitted buy, but for some who do not show up, until all is sold."""
        admitted: set[str] = set()
        tills = eventlet.GreenPool(TILLS)
        deadline = time.monotonic() + MOST_SECONDS
        while len(self.bought) < units and time.monotonic() < deadline:
            fresh = [one for one in self.room.redis.zrange(keys.active(self.slug), 0, -1) if one not in admitted]
            admitted.update(fresh)
            for shopper in fresh:
                if self.dice.random() >= no_shows:
                    queue.arrive(self.room, self.slug, shopper)
                    tills.spawn_n(self._buy, shopper, sku)
            eventlet.sleep(0.02)
        return {"bought": len(self.bought), "let_in": len(admitted), "last_at": max(self.bought)}

    def _buy(self, shopper: str, sku: str) -> None:
        with self.app.app_context(), suppress(PassRequired):  # who stood at the till for too long
            basket.add(self.room, shopper, basket.Wish(sku, 1, uuid4().hex))
            held_at = time.monotonic()
            purchase = Purchase(shopper, DETAILS, total(lines_of(self.room, shopper)), uuid4().hex, "")
            place(self.room, take("till"), purchase)
            self.bought.append(held_at)


def main(slug: str) -> None:
    app = create_app()
    with app.app_context():
        crowd = Crowd(app, slug)
        print(json.dumps({"ready": True}), flush=True)
        for line in sys.stdin:
            order = json.loads(line)
            step: Callable[..., dict[str, Any]] = getattr(crowd, order.pop("do"))
            try:
                answer = step(**order)
            except Refusal as refusal:
                answer = {"refused": refusal.problem()}
            print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
