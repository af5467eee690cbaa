"""Two web processes behind haproxy with the configuration of docs/deploy, on loopback."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Self

import pytest
import requests

from tests.cart.shelf import product_file
from tests.live.test_official_client import VIEWERS, take_ten, viewers
from tests.running import ROOT, RunningShop, free_port

pytestmark = pytest.mark.skipif(not shutil.which("haproxy"), reason="there is no haproxy on this machine")

CONFIGURATION = ROOT / "docs" / "deploy" / "haproxy.cfg"


class ProxiedShop(RunningShop):
    """Each web process has a port of its own; `port` is that of haproxy before them."""

    def __init__(self, folder: Path):
        super().__init__(folder, web=2)
        self.environ["WEB_PROCESSES"] = "1"
        self.ports = {"web.1": free_port(), "web.2": free_port()}
        self._haproxy: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        super().__enter__()
        (self.folder / "products.csv").write_text(product_file("10.00", {"MUG": 50, "CAP": 50, "HAT": 50}))
        self.prepare("catalog", "import", str(self.folder / "products.csv"))
        addresses = {f"SHOP_WEB_{number}": f"127.0.0.1:{port}" for number, port in enumerate(self.ports.values(), 1)}
        environ = {**os.environ, **addresses, "SHOP_LISTEN": f"127.0.0.1:{self.port}"}
        with (self.folder / "haproxy.log").open("wb") as log:
            self._haproxy = subprocess.Popen(["haproxy", "-f", CONFIGURATION], env=environ, stdout=log, stderr=log)
        return self.start()

    def _spawn(self, name: str) -> None:
        outside = self.environ["PORT"]
        self.environ["PORT"] = str(self.ports.get(name, outside))
        super()._spawn(name)
        self.environ["PORT"] = outside

    def __exit__(self, *error: object) -> None:
        if self._haproxy:
            self._haproxy.kill()
            self._haproxy.wait()
        super().__exit__(*error)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProxiedShop]:
    with ProxiedShop(tmp_path_factory.mktemp("proxied")) as shop:
        yield shop


@pytest.mark.parametrize(
    ("sku", "transports"), [("MUG", "websocket"), ("CAP", "polling"), ("HAT", "polling,websocket")]
)
def test_every_transport_of_the_official_client_works(shop: ProxiedShop, sku: str, transports: str) -> None:
    heard = viewers(shop, sku, transports, partial(take_ten, shop, sku), until=40)

    assert [one["heard"][-1][1] for one in heard] == [40] * VIEWERS


@contextmanager
def stream(shop: ProxiedShop, sku: str) -> Iterator[Iterator[Any]]:
    """The lines of a stream of server-sent events."""
    with requests.get(f"{shop.url}/live/stock?sku={sku}", stream=True, timeout=5) as answer:
        yield answer.iter_lines(chunk_size=1, decode_unicode=True)


def test_events_come_through_at_once(shop: ProxiedShop) -> None:
    with stream(shop, "MUG") as lines:
        next(line for line in lines if line.startswith("data:"))

        began = time.monotonic()
        shop.add(shop.shopper(), "MUG")
        next(line for line in lines if line.startswith("data:"))

    assert time.monotonic() - began < 4  # and not when the stream ends


def test_a_process_that_stops_hands_its_shoppers_to_the_other(shop: ProxiedShop) -> None:
    shoppers = [shop.shopper() for _ in range(4)]
    before = [shop.add(one, "HAT").status_code for one in shoppers]

    shop.stop(["web.1"])
    after = [shop.add(one, "HAT", seen=1).status_code for one in shoppers]

    assert before == after == [201] * 4
