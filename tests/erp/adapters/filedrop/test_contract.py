"""The file drop keeps the contract."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.erp.adapters.filedrop.house import House, open_house
from tests.erp.contract.suite import Contract


class TestContract(Contract):
    @pytest.fixture
    def house(self, tmp_path: Path) -> Iterator[House]:
        with open_house(tmp_path / "erp") as house:
            yield house
