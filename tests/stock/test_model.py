"""The stock as a whole: random histories agree with a plain model (see tests/stock/history)."""

from collections.abc import Callable

import pytest

from storefront.stock.stockroom import Stockroom
from tests.stock.history.machine import play

HISTORIES = {"sqlite": 125, "postgres": 25}  # in each part


@pytest.mark.parametrize("part", range(4))
def test_random_histories_agree_with_the_model(
    room: Stockroom, other_process: Callable[..., Stockroom], part: int
) -> None:
    """In parts, so that they may run side by side."""
    play(room, other_process(), HISTORIES[room.engine.dialect.name.replace("postgresql", "postgres")])
