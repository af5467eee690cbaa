"""Tryton keeps the contract."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from storefront.erp.documents import PLACED, key_of
from tests.erp.adapters.tryton.house import House, open_house
from tests.erp.contract.suite import Contract

CORRUPTION = """
    UPDATE sale_line SET quantity = quantity + 1
    WHERE sequence = ? AND sale = (SELECT id FROM sale_sale WHERE web_id = ?)
"""


class TestContract(Contract):
    """On the house of this folder, which has seen the orders of other tests."""

    @pytest.fixture
    def empty_house(self, tmp_path: Path) -> Iterator[House]:
        with open_house(tmp_path / "new house") as house:
            yield house

    def corrupt(self, house: Any, order_id: int, line: int) -> None:
        with closing(sqlite3.connect(house.tryton.database, timeout=10)) as books, books:
            books.execute(CORRUPTION, (line, key_of(order_id, PLACED)))
