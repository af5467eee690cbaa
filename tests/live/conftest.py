"""A relay of the test's own, and a shop of two web processes for what only real sockets show."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from redis import Redis

from storefront.core.redis import connect
from storefront.core.tools import keep
from storefront.live.relay import Relay
from storefront.stock.stockroom import Stockroom
from tests.backstage import Backstage, reason_of, state_of
from tests.cart.shelf import product_file
from tests.running import RunningShop


class Ear:
    """An outlet that remembers what it was told, and when."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []
        self.at: list[float] = []
        self.skus: set[str] = set()

    def tell(self, state: dict[str, Any]) -> None:
        self.at.append(time.monotonic())
        self.told.append(state)

    def watched(self) -> set[str]:
        return self.skus

    def versions(self, sku: str) -> list[int]:
        return [state["version"] for state in self.told if state["sku"] == sku]

    def wait_for(self, heard: Callable[["Ear"], object], seconds: float = 3.0) -> None:
        wait_until(lambda: heard(self), seconds)


class Bus:
    """A Redis client whose subscriber ends, once it is closed, instead of coming back."""

    def __init__(self, redis: Redis):
        self.redis = redis
        self.closed = False

    def pubsub(self, **options: Any) -> Any:
        if self.closed:
            raise SystemExit
        return self.redis.pubsub(**options)

    def cut(self) -> None:
        """Cut the subscriber's connection, as a Redis that goes away does."""
        self.redis.client_kill_filter(_type="pubsub")


class RunningRelay:
    """A relay at work in a thread, with its ear."""

    def __init__(self, room: Stockroom, url: str, interval_ms: int):
        self.ear = Ear()
        self.bus = Bus(connect(url))
        self.relay = Relay(room, self.bus, interval_ms, self.ear)  # type: ignore[arg-type]
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        wait_until(lambda: self.relay.hearing)

    def _run(self) -> None:
        with suppress(SystemExit):
            self.relay.run()

    def stop(self) -> None:
        self.bus.closed = True
        self.bus.cut()
        self._thread.join(5)


def wait_until(fact: Callable[[], object], seconds: float = 20.0) -> None:
    """Wait until `fact` is so; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.005)


@pytest.fixture
def start_relay(app: Flask, room: Stockroom) -> Iterator[Callable[..., RunningRelay]]:
    """Start a relay over the test's Redis; `start_relay(interval_ms=300)`. The app's live routes use it.

    url: another way to that Redis, for the relay to listen over.
    """
    started: list[RunningRelay] = []

    def start(interval_ms: int = 20, url: str | None = None) -> RunningRelay:
        relay = RunningRelay(room, url or app.extensions["settings"].redis_url, interval_ms)
        keep(app, "relay", lambda: relay.relay)
        started.append(relay)
        return relay

    yield start
    for relay in started:
        relay.stop()


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningShop]:
    """A shop of two web processes with 50 units each of S0 to S39; every test takes SKUs of its own."""
    folder: Path = tmp_path_factory.mktemp("served")
    with RunningShop(folder, web=2) as shop:
        (folder / "products.csv").write_text(product_file("10.00", {f"S{number}": 50 for number in range(40)}))
        shop.prepare("catalog", "import", str(folder / "products.csv"))
        yield shop.start()


@pytest.fixture(scope="session")
def backstage(served: RunningShop) -> Iterator[Backstage]:
    """Behind the scenes of `served`."""
    backstage = Backstage(served)
    yield backstage
    backstage.close()


@pytest.fixture
def waiting_sale(backstage: Backstage, served: RunningShop) -> Callable[..., str]:
    """A sale of `served` that is open and so slow that it lets nobody in: `waiting_sale("S1")`."""

    def make(sku: str, **fields: Any) -> str:
        slug = backstage.sale(sku, **{"rate": 0.0001, **fields})
        wait_until(lambda: state_of(served, slug) == "open" and reason_of(served, slug) is None, 15)
        return slug

    return make
