"""Random histories of several shoppers, an operator, accidents and rebuilds, held against a plain model.

Two processes take the steps, so one of them is often behind a rebuild. A third one dawdles: what it has written to SQL
it tells Redis later, or twice, or never. Clicks lose their answer or get stuck before the journal. Time goes by for all
holds at once, and memory is lost; the next click that finds the gate closed has the numbers rebuilt.
"""

from collections import Counter
from collections.abc import Sequence
from typing import ClassVar

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from storefront.stock.stockroom import Stockroom
from tests.stock.history.accidents import Accidents
from tests.stock.history.back_office import BackOffice
from tests.stock.history.draws import HOLD_SECONDS
from tests.stock.history.invariants import Invariants
from tests.stock.history.overtaken import Overtaken

STEPS = 30


class StockHistory(Overtaken, BackOffice, Accidents, Invariants):
    """All rules; each takes its step in the stock and in the model, and compares what comes back."""


def play(
    room: Stockroom,
    other: Stockroom,
    histories: int,
    *,
    dice: int | None = None,
    phases: Sequence[Phase] = tuple(Phase),
) -> Counter[str]:
    """Play so many histories with these two processes; return in how many of them each noteworthy thing has happened.

    dice: the seed, where the same histories are wanted again. Raises AssertionError with a counter-example.
    """

    class History(StockHistory):
        rooms = (room, other)
        met: ClassVar[Counter[str]] = Counter()

    room.hold_ms, other.hold_ms = (seconds * 1000 for seconds in HOLD_SECONDS[:2])
    run_state_machine_as_test(
        History if dice is None else seed(dice)(History),
        settings=settings(
            max_examples=histories,
            stateful_step_count=STEPS,
            phases=phases,
            database=settings().database if dice is None else None,
            deadline=None,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        ),
    )
    return History.met
