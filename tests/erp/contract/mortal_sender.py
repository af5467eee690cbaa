"""A sender that is killed again and again: `python -m tests.erp.contract.mortal_sender DEATHS SEED`.

Each is forked from a program that has imported all of it, and sends batches until it kills itself: before a batch
is handed over, somewhere in the middle of that, after the ERP has it and before that is marked, or after. Prints how
often each has happened; the settings of the shop and its ERP are in the environment.
"""

import json
import os
import random
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from importlib import import_module
from typing import Any

from storefront import create_app
from storefront.core.tools import take
from storefront.erp import delivery
from storefront.erp.adapter import Adapter, Batch, Result

POINTS = ("before", "within", "accepted", "marked")
LEASE_MS = 300
LONGEST_LIFE_SECONDS = 20.0
BATCH = 5


def main(deaths: int, seed: int) -> None:
    for name in ("psycopg2", "requests", "storefront.erp.marks"):  # what would be imported late
        import_module(name)
    dice = random.Random(seed)
    died: Counter[str] = Counter()
    for number in range(deaths):
        point = POINTS[number % len(POINTS)]
        child = os.fork()
        if not child:
            try:
                send(point, dice.uniform(0, 0.1))
            finally:
                os._exit(0)
        _, status = os.waitpid(child, 0)
        died[point if os.WIFSIGNALED(status) else "lived"] += 1
    print(json.dumps(died))


def send(point: str, seconds: float) -> None:
    """Send until killed at `point`; where that is in the middle, so many seconds after a batch was handed over."""
    with create_app().app_context():
        exchange = take("exchange")
        mortal: Any = Mortal(exchange.adapter, point, seconds)
        exchange = replace(exchange, adapter=mortal, batch_size=BATCH, lease_ms=LEASE_MS)
        until = time.monotonic() + LONGEST_LIFE_SECONDS
        while time.monotonic() < until:
            done = delivery.deliver(exchange, now=True)
            if mortal.has_sent and point == "marked":
                die()
            if not done.busy and not done.batches and not done.error:
                return  # nothing left to be killed at
            time.sleep(0.02)


class Mortal:
    """An adapter whose process dies at a point."""

    def __init__(self, adapter: Adapter, point: str, seconds: float):
        self._adapter, self._point, self._seconds = adapter, point, seconds
        self.has_sent = False

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._adapter, name)
        return partial(self._send, found) if name == "submit_several" else found

    def submit(self, batch: Batch) -> Sequence[Result]:
        return self._send(self._adapter.submit, batch)

    def cancel(self, batch: Batch) -> Sequence[Result]:
        return self._send(self._adapter.cancel, batch)

    def _send(self, call: Callable[[Any], Any], sent: Any) -> Any:
        if self._point == "before" or self.has_sent:  # what was sent before this batch is marked by now
            die()
        if self._point == "within":
            threading.Timer(self._seconds, die).start()
        results = call(sent)
        self.has_sent = True
        if self._point in ("within", "accepted"):
            die()
        return results


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
