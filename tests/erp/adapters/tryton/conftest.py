"""One Tryton server for all tests of this folder: each takes orders and SKUs of its own."""

from collections.abc import Iterator
from itertools import count

import pytest

from tests.erp.adapters.tryton.house import House, open_house
from tests.erp.adapters.tryton.proxy import Proxy


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A Tryton with our web shop in it."""
    with open_house(tmp_path_factory.mktemp("house")) as house:
        yield house


@pytest.fixture(scope="session")
def skus(house: House) -> Iterator[str]:
    """Products for the tests, made by the dozen."""

    def endless() -> Iterator[str]:
        for dozen in count(1):
            some = [f"SKU-{dozen}-{number}" for number in range(24)]
            house.set_stock(dict.fromkeys(some, 1000))
            yield from some

    return endless()


@pytest.fixture
def sku(skus: Iterator[str]) -> str:
    """A product of the test's own, 1,000 units of it on the shelf."""
    return next(skus)


@pytest.fixture
def proxy(house: House) -> Iterator[Proxy]:
    """The proxy before the house, without faults so far."""
    house.proxy.faults.clear()
    house.proxy.calls.clear()
    yield house.proxy
    house.proxy.faults.clear()
