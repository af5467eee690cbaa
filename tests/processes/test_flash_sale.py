"""64 shoppers, 50 units, two web processes; and a worker that is killed."""

import signal
import time
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import requests
import socketio

from tests.cart.shelf import all_at_once
from tests.processes.ward import last_expiry
from tests.running import RunningShop

HOLD_SECONDS = 5  # ten times what a crowd takes on a busy machine: its last comes before the first hold runs out
PATIENCE_SECONDS = 60.0  # with processes that start


def available(shop: RunningShop, sku: str) -> int:
    return requests.get(f"{shop.url}/api/v1/stock?sku={sku}", timeout=10).json()["stock"][0]["available"]


def deadline_of(answers: list[requests.Response]) -> float:
    """When the last of these holds is over, in seconds since 1970."""
    return max(datetime.fromisoformat(answer.json()["expires_at"]).timestamp() for answer in answers)


def wait_until(fact: Callable[[], bool], until: float) -> None:
    """Wait until `fact` is so, but not beyond the time `until`."""
    while not fact():
        assert time.time() < until, "it did not come about in time"
        time.sleep(0.05)


def test_a_flash_sale_sells_every_unit_once_and_gets_every_hold_back_in_time(
    open_shop: Callable[..., RunningShop], tmp_path: Path, new_database: Callable[[Path], str]
) -> None:
    environ = {"DATABASE_URL": new_database(tmp_path), "APP_ENV": "development", "HOLD_SECONDS": str(HOLD_SECONDS)}
    shop = open_shop({"HOT": 50, "COLD": 5}, **environ)
    page: Any = socketio.Client(reconnection=False)
    heard: list[dict[str, Any]] = []
    page.on("stock", heard.append)
    page.connect(shop.url, transports=["websocket"])
    page.call("watch", {"skus": ["HOT"]})

    answers = all_at_once([partial(shop.add, shop.shopper(), "HOT") for _ in range(64)])
    won = [answer for answer in answers if answer.status_code == 201]
    lost = [(answer.status_code, answer.json()["code"]) for answer in answers if answer.status_code != 201]
    verified = shop.flask("stock", "verify", check=False)
    in_time = deadline_of(won) + 2
    wait_until(lambda: available(shop, "HOT") == 50, until=in_time)
    wait_until(lambda: heard[-1]["available"] == 50, until=time.time() + PATIENCE_SECONDS)
    page.disconnect()

    assert len(won) == 50
    assert lost == [(409, "sold_out")] * 14
    assert verified.returncode == 0, verified.stdout
    _a_killed_worker_loses_nothing(shop)


def _a_killed_worker_loses_nothing(shop: RunningShop) -> None:
    """Told in the same shop, because a shop takes long to open."""
    shop.stop(["worker.1"], signal.SIGKILL)
    answer = shop.add(shop.shopper(), "COLD", 2)
    time.sleep(max(0.0, deadline_of([answer]) - time.time() + 0.5))
    while_dead = available(shop, "COLD")
    job = last_expiry(shop.redis.url)

    shop.start()

    wait_until(lambda: last_expiry(shop.redis.url) > job, until=time.time() + PATIENCE_SECONDS)  # the worker is there
    wait_until(lambda: available(shop, "COLD") == 5, until=time.time() + 3)
    verified = shop.flask("stock", "verify", check=False)
    assert while_dead == 3
    assert verified.returncode == 0, verified.stdout
