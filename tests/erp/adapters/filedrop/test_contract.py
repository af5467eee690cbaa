"""The file drop keeps the contract."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.erp.adapters.filedrop.house import House, open_house
from tests.erp.contract.suite import Contract

CORRUPTION = "UPDATE lines SET quantity = quantity + 1 WHERE order_id = ? AND line = ?"


class TestContract(Contract):
    @pytest.fixture
    def house(self, tmp_path: Path) -> Iterator[House]:
        with open_house(tmp_path / "erp") as house:
            yield house

    def corrupt(self, house: Any, order_id: int, line: int) -> None:
        book = house.office.book
        with book.transaction():
            book._db.execute(CORRUPTION, (order_id, line))
            book.set_counter("booked told", 0)  # the books are told of again, as they are each night
