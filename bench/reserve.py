"""Reserve: what an add to the cart costs through HTTP, beside a bare Flask route on the same server.

64 shoppers, one web process on a core of its own. Ratios count: both sides of each come from one run.
"""

import json
import multiprocessing
import subprocess
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from bench import shoppers
from bench.shoppers import Tally, pin
from bench.table import percentile, print_table
from tests.browser.stocked_shop import StockedShop
from tests.postgres import PostgresMissing, PostgresServer
from tests.running import ROOT

SHOPPERS = 64
ROUNDS, SECONDS = 4, 1.0  # of each kind by turns, so that a slow moment of the machine meets all of them
PLENTY = 9_999_999
WEB_CORE, CLIENT_CORE = {0}, {1}
DURABILITIES = ("journal", "redis")
BARE, REFUSED, ADDED = "bare Flask route", "refusal (sold out)", "successful add"
Measured = dict[tuple[str, str], Tally]


class OneWebProcess(StockedShop):
    """A shop whose only web process has the bare route beside the shop and a core of its own."""

    def _spawn(self, name: str) -> None:
        if not name.startswith("web"):
            return super()._spawn(name)
        with (self.folder / f"{name}.log").open("ab") as log:
            command = [sys.executable, "-m", "bench.serving"]
            self.processes[name] = subprocess.Popen(command, cwd=ROOT, env=self.environ, stdout=log, stderr=log)
        pin(self.processes[name].pid, WEB_CORE)

    def serve_with(self, durability: str) -> None:
        """Start the web process anew with another HOLD_DURABILITY."""
        self.stop(["web.1"])
        self.environ["HOLD_DURABILITY"] = durability
        self.start()


def main() -> None:
    """Measure on SQLite, and on Postgres where there is one; print."""
    with tempfile.TemporaryDirectory() as folder:
        report("SQLite", measure(Path(folder) / "sqlite"))
        try:
            server = PostgresServer(durable=True)
        except PostgresMissing as missing:
            print(f"\nPostgres was left out: {missing}")
            return
        with server:
            more = {"DATABASE_URL": server.url(server.create()), "APP_ENV": "development"}
            report("Postgres", measure(Path(folder) / "with-postgres", **more))


def measure(folder: Path, **environ: str) -> Measured:
    """A tally for each durability and kind of request."""
    folder.mkdir()
    measured: Measured = {}
    with ExitStack() as stack:
        counts = {0: 1, PLENTY: 1}
        shop = stack.enter_context(OneWebProcess(folder, web=1, counts=counts, HOLD_SECONDS="3600", **environ))
        spawn = multiprocessing.get_context("spawn")
        pool = stack.enter_context(ProcessPoolExecutor(1, spawn, initializer=pin, initargs=(0, CLIENT_CORE)))
        requests = {
            BARE: ("GET", "/bare/", b""),
            REFUSED: ("POST", "/api/v1/cart/items", body_for(shop.item(0).sku)),
            ADDED: ("POST", "/api/v1/cart/items", body_for(shop.item(PLENTY).sku)),
        }
        for durability in DURABILITIES:
            shop.serve_with(durability)
            for kind, request in list(requests.items()) * ROUNDS:
                tally = pool.submit(shoppers.run, shop.port, *request, SHOPPERS, SECONDS).result()
                measured.setdefault((durability, kind), Tally()).add(tally)
    return measured


def body_for(sku: str) -> bytes:
    return json.dumps({"sku": sku, "quantity": 1}).encode()


def report(database: str, measured: Measured) -> None:
    rows = [
        [f"{kind}, HOLD_DURABILITY={durability}", *figures(tally)] for (durability, kind), tally in measured.items()
    ]
    header = ["request", "per s", "p50 ms", "p99 ms", "answers"]
    print_table(f"Adding to the cart: {SHOPPERS} shoppers, one web process, {database}", header, rows)
    print(f"refusals / bare {share(measured, 'journal', REFUSED):.2f}")
    journal, quick = (share(measured, durability, ADDED) for durability in DURABILITIES)
    print(f"adds with journal / bare {journal:.2f}")
    print(
        f"adds with journal / adds with redis {journal / quick:.2f} (each against the bare route beside it)", flush=True
    )


def share(measured: Measured, durability: str, kind: str) -> float:
    """How many such requests a second there are for each bare one, measured by turns with it."""
    return measured[durability, kind].per_second / measured[durability, BARE].per_second


def figures(tally: Tally) -> list[str]:
    p50, p99 = (percentile(tally.took, percent) * 1000 if tally.took else float("nan") for percent in (50, 99))
    answers = ", ".join(f"{count} x {status}" for status, count in sorted(tally.statuses.items()))
    return [f"{tally.per_second:.0f}", f"{p50:.1f}", f"{p99:.1f}", answers]


if __name__ == "__main__":
    main()
