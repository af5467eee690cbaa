"""A whole shop and its ERP: orders go out, stock comes in, and an ERP that hangs holds up nobody."""

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from tests.cart.shelf import DETAILS
from tests.running import ROOT, RunningShop

PATIENCE_SECONDS = 40.0
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def wait_until(fact: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.1)


@contextmanager
def back_office(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """The bundled ERP, at work on a drop folder."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "storefront.erp.adapters.filedrop.legacy", str(folder), "--watch", *arguments]
    with subprocess.Popen(command, cwd=ROOT) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)


def buy(shop: RunningShop, units: int) -> None:
    with requests.Session() as somebody:
        somebody.headers["Origin"] = shop.url
        held = somebody.post(f"{shop.url}/api/v1/cart/items", json={"sku": "MUG", "quantity": units}, timeout=10)
        assert held.status_code == 201, held.text
        body: dict[str, Any] = {**DETAILS, "expected_total": {"amount": f"{units * 10}.00", "currency": "EUR"}}
        ordered = somebody.post(f"{shop.url}/api/v1/orders", json=body, headers={"Idempotency-Key": "once"}, timeout=10)
        assert ordered.status_code == 201, ordered.text


def available(shop: RunningShop) -> int:
    found: Any = requests.get(f"{shop.url}/api/v1/stock?sku=MUG", timeout=10).json()
    return found["stock"][0]["available"]


def test_orders_reach_the_erp_and_its_stock_comes_back(open_shop: Callable[..., RunningShop], tmp_path: Path) -> None:
    drop = tmp_path / "drop"
    with back_office(drop, "--receive", "MUG", "20"):
        shop = open_shop({"MUG": 50}, ERP_BATCH_SECONDS="1", ERP_STOCK_SECONDS="1", ERP_FILEDROP_PATH=str(drop))
        wait_until(lambda: available(shop) == 20)

        buy(shop, 3)
        wait_until(lambda: status(shop)["backlog"]["applied"] == 1)

        assert (drop / "orders-000001.csv").exists()
        wait_until(lambda: shop.flask("erp", "reconcile", check=False).returncode == 0)
        assert available(shop) == 17
        shop.flask("stock", "verify")


def status(shop: RunningShop) -> Any:
    return json.loads(shop.flask("erp", "status", "--json").stdout)


def test_an_erp_that_hangs_does_not_keep_holds_from_expiring(open_shop: Callable[..., RunningShop]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(PATIENCE_SECONDS)
        shop = open_shop(
            {"MUG": 5}, HOLD_SECONDS="3", ERP_BATCH_SECONDS="0", ERP_ADAPTER="webhook", ERP_WEBHOOK_SECRET=SECRET,
            ERP_WEBHOOK_URL=f"http://127.0.0.1:{silent.getsockname()[1]}", ERP_WEBHOOK_SECONDS="20",
        )  # fmt: skip
        buy(shop, 1)
        connection, _ = silent.accept()  # the worker waits for an answer that does not come

        with connection, requests.Session() as somebody:
            somebody.headers["Origin"] = shop.url
            somebody.post(f"{shop.url}/api/v1/cart/items", json={"sku": "MUG", "quantity": 4}, timeout=10)
            assert available(shop) == 0
            wait_until(lambda: available(shop) == 4, seconds=10)
