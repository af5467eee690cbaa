"""The operator: receives and adjusts, in short-lived processes that may die halfway."""

import random
import threading
from uuid import uuid4

from tests.chaos.promises import Promises
from tests.chaos.world import PLENTY, SCARCE, World

STEP_SECONDS = 20.0


class BackOffice:
    """Brings a few units of the scarce things again and again, and takes some away."""

    def __init__(self, world: World, promises: Promises, seed: int, every_seconds: float = 0.8):
        self.world = world
        self.promises = promises
        self.every_seconds = every_seconds
        self.movements = 0
        self._dice = random.Random(f"{seed}:office")
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._closing.set()
        self._thread.join(STEP_SECONDS + 5)

    def _run(self) -> None:
        number = 0
        while not self._closing.wait(self._dice.uniform(0.3, 1.7) * self.every_seconds):
            number += 1
            self._step(f"operator.{number}")

    def _step(self, name: str) -> None:
        dice = self._dice
        sku, reason = dice.choice(SCARCE if dice.random() < 0.85 else PLENTY), uuid4().hex
        what = dice.random()
        if what < 0.75:
            arguments = ("receive", sku, dice.randint(1, 6), reason)
        else:
            arguments = ("adjust", sku, dice.choice((-3, -2, -1, -1, 2)), reason)
        if self.world.family.run(name, *arguments, seconds=STEP_SECONDS) == 0:
            self.movements += 1
            with self.promises.lock:
                self.promises.received[reason] = sku
