"""Outage: what adding and ordering cost while the ERP is up, while it never answers, and while nobody listens there.

A whole shop under a steady mix of both, in alternating blocks of one run. While the ERP is down 10,000 orders wait, and
come on top of those that are placed; all are booked before the next block. The goal (issue 6): with the ERP down the
99th percentiles are within 1.2 times those with it up.
"""

import multiprocessing
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from sqlalchemy import Engine, create_engine, func, select

from bench.erp.backlog import add_orders
from bench.erp.customers import Visits, shop_on
from bench.table import percentile, print_table
from storefront.erp.models import BufferRow
from tests.browser.stocked_shop import StockedShop
from tests.erp.adapters.webhook.house import SECRET
from tests.erp.adapters.webhook.receiver import Receiver
from tests.postgres import PostgresMissing, PostgresServer
from tests.running import free_port

CUSTOMERS, PAUSE_SECONDS = 16, 0.5  # 32 adds and as many orders a second, which leaves the shop some air
ROUNDS, SECONDS, WAITING = 3, 10.0, 10_000
QUICK_ROUNDS, QUICK_SECONDS, QUICK_WAITING = 1, 6.0, 1_000
WARM_UP_SECONDS = 5.0
GOAL = 1.2
PLENTY, PRODUCTS = 9_999_999, 20
UP, SILENT, REFUSING = "up", "accepts, never answers", "refuses connections"
DRAIN_SECONDS = 180.0


@dataclass(frozen=True)
class Return:
    """After an outage: how many orders had waited, and the seconds until the first, and all of them, were booked."""

    waited: int
    first: float
    all: float


class Erp:
    """The reference receiver behind one port; it can be there, be silent, or be gone."""

    def __init__(self, folder: Path, skus: list[str]):
        self._folder, self._skus = folder, skus
        self.port = free_port()
        self._state = ""
        self._now = ExitStack()

    def become(self, state: str) -> None:
        if state == self._state:
            return
        self._now.close()
        self._state = state
        if state == UP:
            receiver = self._now.enter_context(Receiver(self._folder / "erp.db", SECRET, self.port))
            receiver.book.set_stock(dict.fromkeys(self._skus, PLENTY))
        elif state == SILENT:  # the kernel takes connections, and nobody ever reads what comes over them
            self._now.enter_context(socket.create_server(("127.0.0.1", self.port), backlog=1000))

    def close(self) -> None:
        self._now.close()


def main(folder: Path, quick: bool) -> None:
    """Measure on SQLite, and on Postgres where there is one; print."""
    measure("SQLite", folder / "outage-sqlite", f"sqlite:///{folder / 'outage-sqlite' / 'shop.db'}", quick)
    try:
        server = PostgresServer(durable=True)
    except PostgresMissing as missing:
        print(f"\nPostgres was left out: {missing}")
        return
    with server:
        measure("Postgres", folder / "outage-postgres", server.url(server.create()), quick)


def measure(database: str, folder: Path, url: str, quick: bool) -> None:
    rounds, seconds, waiting = (QUICK_ROUNDS, QUICK_SECONDS, QUICK_WAITING) if quick else (ROUNDS, SECONDS, WAITING)
    measured = {state: Visits() for state in (UP, SILENT, REFUSING)}
    returns: dict[str, list[Return]] = {SILENT: [], REFUSING: []}
    with open_shop(folder, url) as (shop, erp, skus, engine), one_process() as pool:
        pool.submit(shop_on, shop.port, skus, CUSTOMERS, PAUSE_SECONDS, WARM_UP_SECONDS).result()
        come_back(erp, engine)
        for state in list(measured) * rounds:
            erp.become(state)
            if state != UP:
                add_orders(engine, waiting, skus)
            visits = pool.submit(shop_on, shop.port, skus, CUSTOMERS, PAUSE_SECONDS, seconds).result()
            measured[state].add(visits)
            back = come_back(erp, engine)
            if state in returns:
                returns[state].append(back)
    report(database, measured, returns)


@contextmanager
def open_shop(folder: Path, url: str) -> Iterator[tuple[StockedShop, Erp, list[str], Engine]]:
    """A shop with one web process, worker and clock, and the ERP that it sends to, which is up."""
    folder.mkdir()
    with ExitStack() as stack:
        shop = StockedShop(folder, web=1, counts={PLENTY: PRODUCTS}, DATABASE_URL=url, APP_ENV="development")
        skus = [item.sku for item in shop.shelf.untouched[PLENTY]]
        erp = Erp(folder, skus)
        stack.callback(erp.close)
        erp.become(UP)
        shop.environ |= {
            "ERP_ADAPTER": "webhook",
            "ERP_WEBHOOK_URL": f"http://127.0.0.1:{erp.port}",
            "ERP_WEBHOOK_SECRET": SECRET,
        }
        stack.enter_context(shop)
        engine = create_engine(url.replace("postgresql:", "postgresql+psycopg2:"))
        stack.callback(engine.dispose)
        yield shop, erp, skus, engine


def one_process() -> ProcessPoolExecutor:
    """Where the customers are: their work should not wait for the ERP's."""
    return ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))


def come_back(erp: Erp, engine: Engine) -> Return:
    """Let the ERP be up, and wait until it has booked all orders."""
    waited, begin, first = unsent(engine), time.perf_counter(), 0.0
    erp.become(UP)
    while left := unsent(engine):
        took = time.perf_counter() - begin
        assert took < DRAIN_SECONDS, f"{left} orders are still not booked"
        first = took if left == waited else first
        time.sleep(0.05)
    return Return(waited, first, time.perf_counter() - begin)


def unsent(engine: Engine) -> int:
    """How many orders the ERP has not booked."""
    with engine.connect() as connection:
        return connection.scalar(select(func.count()).select_from(BufferRow).where(BufferRow.state != "applied")) or 0


def report(database: str, measured: dict[str, Visits], returns: dict[str, list[Return]]) -> None:
    rows = [
        [f"{what}, the ERP {state}" if state == UP else f"{what}, it {state}", len(took), *shown(took)]
        for what in ("add", "checkout")
        for state, visits in measured.items()
        for took in [visits.adds if what == "add" else visits.checkouts]
    ]
    statuses = ", ".join(f"{count} x {status}" for status, count in sum_of(measured).items())
    print_table(
        f"Add and checkout with the ERP up and down, one web process, {database}: {statuses}",
        ["request", "number", "p50 ms", "p99 ms"],
        rows,
    )
    up = measured[UP]
    for state in returns:
        adds = percentile(measured[state].adds, 99) / percentile(up.adds, 99)
        checkouts = percentile(measured[state].checkouts, 99) / percentile(up.checkouts, 99)
        print(f"p99, ERP {state} / up (goal {GOAL} at most): add {adds:.2f}, checkout {checkouts:.2f}")
    for state, backs in returns.items():
        waited, first, last = (median(getattr(back, name) for back in backs) for name in ("waited", "first", "all"))
        print(f"back after it {state}: {waited:.0f} orders, the first booked within {first:.1f} s, all in {last:.1f} s")


def shown(took: list[float]) -> list[str]:
    return [f"{percentile(took, percent) * 1000:.1f}" for percent in (50, 99)]


def sum_of(measured: dict[str, Visits]) -> dict[int, int]:
    everything = Visits()
    for visits in measured.values():
        everything.add(visits)
    return dict(sorted(everything.statuses.items()))
