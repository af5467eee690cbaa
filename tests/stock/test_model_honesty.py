"""The test of the model test: whatever is planted, the random histories find it."""

from collections.abc import Callable

import pytest
from hypothesis import Phase

from storefront.stock.stockroom import Stockroom
from tests.chaos import bugs
from tests.stock.history.machine import play
from tests.stock.history.planted import SLIPS, Slip, planted, slipped

DICE = range(1000, 1010)  # others find them as well; with these it takes about a quarter of a minute

pytestmark = pytest.mark.only_on("sqlite")  # scripts and histories are the same on both


def play_until_it_shows(room: Stockroom, other: Stockroom) -> None:
    for dice in DICE:
        play(room, other, histories=60, dice=dice, phases=[Phase.generate])


@pytest.mark.parametrize("slip", SLIPS, ids=lambda slip: slip.name)
def test_a_slip_in_a_script_is_found(room: Stockroom, other_process: Callable[..., Stockroom], slip: Slip) -> None:
    with slipped(slip), pytest.raises(AssertionError):
        play_until_it_shows(room, other_process())


@pytest.mark.parametrize("bug", bugs.NAMES)
def test_a_bug_in_the_protocol_is_found(room: Stockroom, other_process: Callable[..., Stockroom], bug: str) -> None:
    with planted(bug), pytest.raises(AssertionError):
        play_until_it_shows(room, other_process())
