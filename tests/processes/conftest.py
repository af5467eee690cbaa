"""Real processes, with products in the shop."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cart.shelf import product_file
from tests.running import RunningShop


@pytest.fixture
def open_shop(tmp_path: Path) -> Iterator[Callable[..., RunningShop]]:
    """Start a shop of two web processes: `open_shop({"MUG": 50}, HOLD_SECONDS="4")`."""
    opened: list[RunningShop] = []

    def start(units: dict[str, int], **environ: str) -> RunningShop:
        opened.append(RunningShop(tmp_path, web=2, **environ))
        shop = opened[-1].__enter__()
        (tmp_path / "products.csv").write_text(product_file("10.00", units))
        shop.prepare("catalog", "import", str(tmp_path / "products.csv"))
        return shop.start()

    yield start
    for shop in opened:
        shop.__exit__()
