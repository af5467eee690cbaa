"""The probe: a shopper of a thing that never runs out, who notices when the shop sells again."""

import threading
import time
from collections import defaultdict
from uuid import uuid4

from tests.chaos.client import Client
from tests.chaos.world import PROBE, World

GIVE_UP_SECONDS = 30.0
PAUSE_SECONDS = 0.02


class Probe:
    """Tries to buy from `Redis is back` until a reservation is acknowledged."""

    def __init__(self, world: World):
        self.world = world
        self.seconds: dict[str, list[float]] = defaultdict(list)
        self.never: list[str] = []

    def wait_until_sold(self, after: str) -> float:
        """Seconds until the shop has sold again; noted under `after`."""
        began = time.monotonic()
        sold = threading.Event()
        for _ in range(2):  # one may meet a process that stands still
            threading.Thread(target=self._try, args=(sold,), daemon=True).start()
        if not sold.wait(GIVE_UP_SECONDS):
            self.never.append(after)
            sold.set()
        seconds = time.monotonic() - began
        self.seconds[after].append(seconds)
        return seconds

    def _try(self, sold: threading.Event) -> None:
        while not sold.is_set():
            client = Client(self.world.port, self.world.secret)
            wish = {"sku": PROBE, "quantity": 1, "click_id": uuid4().hex}
            answer = client.ask("POST", "/api/v1/cart/items", wish, attempts=1)
            client.close()
            if answer and answer.status == 201:
                sold.set()
            time.sleep(PAUSE_SECONDS)
