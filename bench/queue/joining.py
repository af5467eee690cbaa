"""Joining over HTTP, beside a bare Flask route on the same server."""

import multiprocessing
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import requests

from bench import shoppers
from bench.reserve import BARE, CLIENT_CORE, ROUNDS, SECONDS, SHOPPERS, OneWebProcess, figures
from bench.shoppers import Tally, pin
from bench.table import print_table
from tests.running import RunningShop

OPENS_SECONDS = 10.0
JOINED = "join (a new shopper each time)"


def announce(shop: RunningShop, sku: str, rate: float, active: int, *more: str) -> None:
    """Create the sale `drop`, and wait until it is open."""
    pace = ["--rate", str(rate), "--active", str(active), "--limit", "1"]
    shop.flask("sale", "create", "drop", "--sku", sku, "--opens", "now", *pace, *more)
    deadline = time.monotonic() + OPENS_SECONDS
    while requests.get(f"{shop.url}/api/v1/sales/drop", timeout=5).json().get("state") != "open":
        if time.monotonic() > deadline:
            raise RuntimeError(f"the sale does not open; see {shop.logs()}")
        time.sleep(0.1)


def measure_joining() -> None:
    """64 shoppers at a time, each request a newcomer's first; print the ratio to the bare route."""
    measured: dict[str, Tally] = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        shop = stack.enter_context(OneWebProcess(folder, web=1, counts={1: 1}))
        announce(shop, shop.item(1).sku, rate=0.001, active=1)
        spawn = multiprocessing.get_context("spawn")
        pool = stack.enter_context(ProcessPoolExecutor(1, spawn, initializer=pin, initargs=(0, CLIENT_CORE)))
        kinds = {BARE: ("GET", "/bare/", b""), JOINED: ("POST", "/api/v1/sales/drop/tickets", b"")}
        for kind, request in list(kinds.items()) * ROUNDS:
            tally = pool.submit(shoppers.run, shop.port, *request, SHOPPERS, SECONDS, newcomers=True).result()
            measured.setdefault(kind, Tally()).add(tally)
    rows = [[kind, *figures(tally)] for kind, tally in measured.items()]
    header = ["request", "per s", "p50 ms", "p99 ms", "answers"]
    print_table(f"Joining a waiting room: {SHOPPERS} at a time, one web process", header, rows)
    print(f"joins / bare {measured[JOINED].per_second / measured[BARE].per_second:.2f}", flush=True)
