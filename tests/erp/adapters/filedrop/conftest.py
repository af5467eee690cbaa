"""A drop folder, with and without an ERP behind it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from storefront.erp.adapters.filedrop.adapter import FileDrop
from storefront.erp.adapters.filedrop.folder import LocalFolder
from tests.erp.adapters.filedrop.house import House, open_house
from tests.erp.adapters.filedrop.incoming import Erp


@pytest.fixture
def drop(tmp_path: Path) -> Path:
    """A folder for files; nobody has made it yet."""
    return tmp_path / "drop"


@pytest.fixture
def adapter(drop: Path) -> FileDrop:
    return FileDrop(LocalFolder(drop))


@pytest.fixture
def erp(drop: Path) -> Erp:
    return Erp(drop)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with open_house(tmp_path / "house") as house:
        yield house
