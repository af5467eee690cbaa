"""An ERP behind a webhook, with mugs and caps on hand."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from storefront.erp.adapter import Adapter
from tests.erp.adapters.webhook.house import House, open_house
from tests.erp.adapters.webhook.receiver import Receiver


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with open_house(tmp_path / "erp") as house:
        house.set_stock({"MUG": 10, "CAP": 5})
        yield house


@pytest.fixture
def receiver(house: House) -> Receiver:
    return house.receiver


@pytest.fixture
def adapter(house: House) -> Adapter:
    return house.adapter
