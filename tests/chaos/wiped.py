"""A scene of its own: Redis is wiped in the middle of 64 parallel checkouts, with 10,000 reservations present."""

import shutil
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from sqlalchemy import insert
from sqlalchemy.orm import Session

from storefront.stock import scripts
from storefront.stock.models import Reservation
from storefront.stock.rebuild import rebuild
from storefront.stock.verify import verify
from tests.chaos.checker import Checker
from tests.chaos.client import ATTEMPTS, Answer, Client
from tests.chaos.probe import Probe
from tests.chaos.promises import OrderPromise, Promises
from tests.chaos.shoppers import DETAILS
from tests.chaos.world import PROBE, PROCESSES, World

SKUS, RESERVATIONS_PER_SKU = 100, 100
BUYERS, WIPES = 64, 3
HOLD_SECONDS = 600
WARM_SECONDS = 2.0


@dataclass
class Scene:
    """What was measured: seconds from `Redis is back` to the open gate, the first reservation and the first order."""

    gate_seconds: list[float] = field(default_factory=list)
    reserve_seconds: list[float] = field(default_factory=list)
    order_seconds: list[float] = field(default_factory=list)
    orders: int = 0
    good: bool = False

    def __str__(self) -> str:
        times = (self.gate_seconds, self.reserve_seconds, self.order_seconds)
        gate, reserved, ordered = (", ".join(f"{one:.2f}" for one in seconds) for seconds in times)
        return (
            f"Redis wiped {len(self.gate_seconds)} times during {BUYERS} parallel checkouts, with"
            f" {SKUS * RESERVATIONS_PER_SKU} reservations present: gate open again after {gate} s, reserves again"
            f" after {reserved} s, orders again after {ordered} s; {self.orders} orders acknowledged,"
            f" {'all there' if self.good else 'NOT ALL THERE'}"
        )


def play(database: str, redis: str | None) -> Scene:
    """Play it in a world of its own."""
    folder = Path(tempfile.mkdtemp(prefix="stockbeat-chaos-"))
    try:
        with World(folder, database, hold_seconds=HOLD_SECONDS, redis=redis) as world:
            _fill(world)
            return _play(world)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _fill(world: World) -> None:
    """Reservations as other shoppers would have made them, and their place in Redis."""
    units = {f"HELD-{number}": 2 * RESERVATIONS_PER_SKU for number in range(SKUS)}
    with world.app.app_context():
        world.stock_up(units)
        now_ms = world.room.now_ms()
        rows = [
            {
                "id": str(uuid4()), "shopper": uuid4().hex, "sku": sku, "units": 1, "state": "active",
                "created_at_ms": now_ms, "expires_at_ms": now_ms + HOLD_SECONDS * 1000, "extensions": 0,
            }
            for sku in units for _ in range(RESERVATIONS_PER_SKU)
        ]  # fmt: skip
        with Session(world.room.engine) as session, session.begin():
            session.execute(insert(Reservation), rows)
        rebuild(world.room)


def _play(world: World) -> Scene:
    scene, promises, probe = Scene(), Promises(), Probe(world)
    world.family.keep(PROCESSES)
    probe.wait_until_sold("start")
    buyers = _Buyers(world, promises)
    for _ in range(WIPES):
        time.sleep(WARM_SECONDS)
        world.redis.wipe()
        back = time.monotonic()
        scene.gate_seconds.append(_open_again(world) - back)
        scene.reserve_seconds.append(buyers.next_after(back, "reservation") - back)
        scene.order_seconds.append(buyers.next_after(back, "order") - back)
    buyers.go_home()
    scene.orders = promises.count()[1]
    violations = Checker(world, promises, 1.0).check(everything=True)
    with world.app.app_context():
        scene.good = not violations and not verify(world.room)
    return scene


def _open_again(world: World) -> float:
    """When the rebuild had loaded the last script."""
    with world.redis.connect() as redis:
        while not all(redis.script_exists(*(script.sha for script in scripts.ALL))):
            time.sleep(0.01)
    return time.monotonic()


class _Buyers:
    """64 of them, each adding and ordering without a pause."""

    def __init__(self, world: World, promises: Promises):
        self.world = world
        self.promises = promises
        self._acknowledged: list[tuple[str, float, float]] = []  # what, asked at, answered at
        self._home = threading.Event()
        self._threads = [threading.Thread(target=self._buy, daemon=True) for _ in range(BUYERS)]
        for thread in self._threads:
            thread.start()

    def next_after(self, moment: float, what: str) -> float:
        """When the first `what` that was asked for after `moment` was acknowledged."""
        while True:
            noted = list(self._acknowledged)
            answered = [answered for kind, asked, answered in noted if kind == what and asked > moment]
            if answered:
                return min(answered)
            time.sleep(0.01)

    def go_home(self) -> None:
        self._home.set()
        for thread in self._threads:
            thread.join(60)

    def _buy(self) -> None:
        while not self._home.is_set():
            client = Client(self.world.port, self.world.secret)
            wish = {"sku": PROBE, "quantity": 1, "click_id": uuid4().hex}
            if self._ask(client, "reservation", "/api/v1/cart/items", wish):
                self._order(client)
            client.close()

    def _order(self, client: Client) -> None:
        key, body = uuid4().hex, {**DETAILS, "expected_total": {"amount": "5.00", "currency": "EUR"}}
        answer = self._ask(client, "order", "/api/v1/orders", body, key)
        if answer:
            total = answer.body["total"]["amount"]
            self.promises.add_order(OrderPromise(answer.body["token"], answer.body["id"], client.shopper, key, total))

    def _ask(self, client: Client, what: str, path: str, body: Any, key: str = "") -> Answer | None:
        """Ask until it is acknowledged, each time noting when; None where it was refused."""
        for _ in range(ATTEMPTS):
            asked_at = time.monotonic()
            answer = client.ask("POST", path, body, key, attempts=1)
            if answer:
                if answer.status == 201:
                    self._acknowledged.append((what, asked_at, time.monotonic()))
                return answer if answer.status == 201 else None
        return None
