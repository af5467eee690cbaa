"""The checker: freezes every process, looks at Redis and SQL, lets them go on, and judges what it saw."""

import threading
import time
from contextlib import ExitStack

from tests.chaos import sight, truths
from tests.chaos.evidence import Evidence
from tests.chaos.promises import Promises
from tests.chaos.truths import Violation
from tests.chaos.world import World

BOOKS_EVERY = 8  # looking at all orders takes longer


class Checker:
    """Checks again and again until the first violation, which stays in `first`."""

    def __init__(self, world: World, promises: Promises, every_seconds: float):
        self.world = world
        self.promises = promises
        self.every_seconds = every_seconds
        self.checks = 0
        self.open_checks = 0
        self.frozen_seconds = 0.0
        self.first: list[Violation] = []
        self.evidence = ""
        self.error: Exception | None = None
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="checker", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._closing.set()
        self._thread.join(60)

    @property
    def failed(self) -> bool:
        return bool(self.first) or self.error is not None

    def _run(self) -> None:
        while not self._closing.wait(self.every_seconds) and not self.failed:
            try:
                self.check(books=self.checks % BOOKS_EVERY == BOOKS_EVERY - 1)
            except Exception as error:
                self.error = error

    def check(self, *, books: bool = False, everything: bool = False) -> list[Violation]:
        """One look, with `books` also at orders and their keys, with `everything` also at promises long fulfilled.

        Redis and SQL are read while every process stands still.
        """
        with ExitStack() as still:
            still.enter_context(self.world.database.steady)
            still.enter_context(self.world.redis.steady)
            began = time.monotonic()
            still.enter_context(self.world.family.frozen())
            self.world.redis.proxy.freeze()
            still.callback(self.world.redis.proxy.thaw)
            violations = self._look(books or everything, everything)
            if violations and not self.first:
                self.first = violations
            self.frozen_seconds += time.monotonic() - began
        return violations

    def _look(self, books: bool, everything: bool) -> list[Violation]:
        world = self.world
        world.database.wait_quiet()
        world.redis.wait_quiet()
        holds, orders = self.promises.every() if everything else self.promises.open()
        with world.redis.connect() as redis, world.database.snapshot() as sql:
            seen = sight.look(redis, sql, world.redis.latest_ms, holds, orders)
            violations = truths.broken(seen, holds, orders)
            if books:
                violations += truths.broken_books(sight.read_books(sql), orders, dict(self.promises.received))
            if violations and not self.first:
                self.evidence = Evidence(redis, sql).of(violations[0])
        self.promises.settle(seen.reservations, seen.orders)
        self.checks += 1
        self.open_checks += seen.gate_open
        return violations
