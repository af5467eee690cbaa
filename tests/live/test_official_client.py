"""The official JavaScript client, over each of its transports, hears what is written straight to its socket."""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import RedisError

from storefront.core.redis import connect
from tests.cart.shelf import product_file
from tests.live.conftest import wait_until
from tests.running import RunningShop

VIEWERS = 20
CLIENT = Path(__file__).with_name("official_client.mjs")

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="there is no Node.js on this machine")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningShop]:
    """A shop of one web process, because Engine.IO's own polling has to come back to the same one."""
    folder = tmp_path_factory.mktemp("shop")
    with RunningShop(folder) as shop:
        (folder / "products.csv").write_text(product_file("10.00", {"MUG": 50, "CAP": 50, "HAT": 50, "BOX": 50}))
        shop.prepare("catalog", "import", str(folder / "products.csv"))
        yield shop.start()


def viewers(
    shop: RunningShop,
    sku: str,
    transports: str,
    do: Callable[[], object],
    number: int = VIEWERS,
    until: int | None = None,
) -> list[dict[str, Any]]:
    """What each of the viewers heard while `do` was done, and over which transport.

    until: the number of units that all wait for, though not for long; without it they tell at once.
    """
    command = ["node", str(CLIENT), shop.url, sku, str(number), transports, "" if until is None else str(until)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
        assert client.stdin and client.stdout
        assert client.stdout.readline() == "watching\n"
        do()
        client.stdin.close()
        return json.loads(client.stdout.readline())


def take_ten(shop: RunningShop, sku: str) -> None:
    """Put ten units into a cart, one after the other."""
    ann = shop.shopper()
    for _ in range(10):
        shop.add(ann, sku)


@pytest.mark.parametrize(
    ("sku", "transports", "used"),
    [("MUG", "websocket", "websocket"), ("CAP", "polling,websocket", "websocket"), ("HAT", "polling", "polling")],
)
def test_every_viewer_hears_the_changes_in_their_order_and_the_last_one(
    shop: RunningShop, sku: str, transports: str, used: str
) -> None:
    heard = viewers(shop, sku, transports, partial(take_ten, shop, sku), until=40)

    assert {one["transport"] for one in heard} == {used}
    for one in heard:
        versions = [version for version, _ in one["heard"]]
        assert versions == sorted(versions)
        assert one["heard"][-1][1] == 40


def kill_redis(shop: RunningShop) -> None:
    """Kill Redis, and return when the one that takes its place answers."""
    with connect(shop.redis.url) as redis:
        before = redis.info("server")
        os.kill(before["process_id"], signal.SIGKILL)
        wait_until(lambda: run_id(redis) not in ("", before["run_id"]), 10)


def run_id(redis: Redis) -> str:
    try:
        return redis.info("server")["run_id"]
    except RedisError:
        return ""


def test_when_redis_restarts_500_viewers_are_right_again_within_3_seconds(shop: RunningShop) -> None:
    ann = shop.shopper()

    def restart_and_change() -> None:
        kill_redis(shop)
        back = time.monotonic()
        wait_until(lambda: shop.add(ann, "BOX").status_code == 201, 3)
        time.sleep(max(0.0, back + 3 - time.monotonic()))

    heard = viewers(shop, "BOX", "websocket", restart_and_change, number=500)

    assert [one["heard"][-1][1] for one in heard] == [49] * 500
