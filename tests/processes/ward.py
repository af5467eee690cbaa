"""A running shop in which something falls ill, is asked everything, and gets well again; nothing is restarted."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import requests
from redis import Redis

from storefront.core.redis import connect
from tests.cart.shelf import product_file
from tests.chaos.shop_redis import Proxy
from tests.processes.asking import UNITS, Answer, Page, Told, as_answer, ask_all, questions
from tests.running import RunningShop

WELL_SECONDS = 5.0  # within which everything works again


class Ward:
    """A running shop, the Redis behind it, the line between them, and a page that is open all the time."""

    def __init__(self, shop: RunningShop, line: Proxy):
        self.shop = shop
        self.line = line
        self.redis = Redis(unix_socket_path=str(shop.redis.socket_path), decode_responses=True)
        self.redis_pid: int = self.redis.info("server")["process_id"]
        self.page = Page(shop)
        self.page.call("watch", skus=["MUG"])
        shop.add(shop.shopper(), "GONE")  # so that it is known to be gone

    def ready(self) -> Answer:
        return as_answer(partial(requests.get, f"{self.shop.url}/healthz/ready", timeout=10))

    def running(self) -> dict[str, int]:
        """The process ids of all parts of the shop that run."""
        return {name: process.pid for name, process in self.shop.processes.items() if process.poll() is None}

    def log_sizes(self) -> dict[str, int]:
        """How much each part has written into its log."""
        return {path.name: path.stat().st_size for path in self.shop.folder.glob("*.log")}

    def logs_with_tracebacks(self) -> list[str]:
        return [path.name for path in self.shop.folder.glob("*.log") if "Traceback" in path.read_text()]

    def last_job(self) -> str:
        return last_expiry(f"unix://{self.shop.redis.socket_path}")


def last_expiry(redis_url: str) -> str:
    """The id of the last expiry of holds that a worker has finished; empty where there was none lately."""
    with connect(redis_url) as redis:
        finished = map(str, redis.zrange("rq:finished:default", 0, -1))
        return max((one for one in finished if one.startswith("expire-holds")), default="")


@dataclass(frozen=True)
class Illness:
    """How it begins and how it ends. `refuses`: what is ill answers, but takes no changes."""

    begin: Callable[[Ward], object]
    end: Callable[[Ward], object]
    refuses: bool = False


@contextmanager
def open_ward(folder: Path, **environ: str) -> Iterator[Ward]:
    """A ward with products; settings as environment variables. The shop reaches Redis through the line only."""
    with RunningShop(folder, web=1, RATELIMIT_ENABLED="false", **environ) as shop:
        (folder / "products.csv").write_text(product_file("10.00", UNITS))
        shop.prepare("catalog", "import", str(folder / "products.csv"))
        line = Proxy(shop.redis.socket_path)
        shop.environ["REDIS_URL"] = line.url
        try:
            ward = Ward(shop.start(), line)
            yield ward
            ward.page.close()
        finally:
            shop.stop()
            line.close()


def live_through(ward: Ward, illness: Illness) -> dict[str, Told]:
    """Ask everything while it lasts, end it, and see that all goes on by itself; what was told, by question."""
    asked = {**questions(ward.shop, ward.page), "ready": ward.ready}
    before = ward.running()

    illness.begin(ward)
    try:
        told = {one.question: one for one in ask_all(asked)}
    finally:
        illness.end(ward)

    alive = told.pop("alive")
    faults = [*alive.faults(), *(fault for one in told.values() for fault in one.faults(alive.seconds))]
    assert not faults, "\n".join(faults)
    assert ward.running() == before, ward.shop.logs()
    _all_goes_on(ward)
    assert not ward.logs_with_tracebacks(), ward.shop.logs()
    return told


def _all_goes_on(ward: Ward) -> None:
    """It is ready; a click is granted and told to the page that was open all the time; the worker works."""
    wait_until(lambda: ward.ready().status == 200)
    job, heard = ward.last_job(), len(ward.page.heard)
    assert ward.shop.add(ward.shop.shopper(), "MUG").status_code == 201
    wait_until(lambda: any(state["available"] is not None for state in ward.page.heard[heard:]))
    wait_until(lambda: ward.last_job() > job)


def wait_until(fact: Callable[[], object], seconds: float = WELL_SECONDS) -> None:
    """Wait until `fact` is so; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.02)
