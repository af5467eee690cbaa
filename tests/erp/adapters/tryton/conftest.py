"""One Tryton server for all tests of this folder: each takes orders and SKUs of its own."""

from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import pytest

from tests.erp.adapters.tryton.house import House, open_house
from tests.erp.adapters.tryton.kit import made_beside
from tests.erp.adapters.tryton.proxy import Proxy

HERE = Path(__file__).parent
BESIDE = ExitStack()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Tryton takes half a minute to make: begin while other tests run, if some of this folder will."""
    first = getattr(session.config, "workerinput", {}).get("workerid", "gw0") == "gw0"
    if first and any(HERE in item.path.parents for item in session.items):
        BESIDE.enter_context(made_beside())


def pytest_sessionfinish() -> None:
    BESIDE.close()


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
