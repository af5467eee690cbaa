"""What an operator does, and how Redis hears of his movements."""

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from storefront.stock import adjustments
from tests.stock.history.draws import DAWDLER, PROCESS, SKUS, TELLER, UNITS
from tests.stock.history.model import Shelf
from tests.stock.history.stage import Stage, outcome_of
from tests.stock.steps import tell_movement


class BackOffice(Stage):
    @rule(teller=TELLER, sku=SKUS, units=UNITS)
    def receive(self, teller: int, sku: str, units: int) -> None:
        adjustments.receive(self.tellers[teller], sku, units, "delivery")
        self._moved(teller, sku, units)

    @rule(teller=TELLER, sku=SKUS, units=UNITS)
    def lose(self, teller: int, sku: str, units: int) -> None:
        adjustments.adjust(self.tellers[teller], sku, -units, "fire", force=True)
        self._moved(teller, sku, -units)

    @rule(teller=TELLER, sku=SKUS, units=st.integers(0, 8))
    def count(self, teller: int, sku: str, units: int) -> None:
        room, delta = self.tellers[teller], units - self.model.shelves[sku].on_hand
        assert adjustments.count(room, sku, units, room.now_ms()) == delta
        self._moved(teller, sku, delta)

    def _moved(self, teller: int, sku: str, units: int) -> None:
        self.model.shelves[sku].on_hand += units
        self.model.shelves[sku].move(units)
        if teller != DAWDLER:
            self.model.hear_movements(sku)

    @rule(process=PROCESS, sku=SKUS, units=UNITS)
    def take_out(self, process: int, sku: str, units: int) -> None:
        expected = "held"
        if sku in self.model.closed:
            expected = "stock_checking"
        elif self.model.free(sku) < units:
            expected = "below_promised"
        elif self.model.sellable(sku) < units:  # a loss that Redis has not heard of
            expected = "insufficient_stock"

        heard = outcome_of(lambda: adjustments.adjust(self.rooms[process], sku, -units, "broken"))

        assert heard == expected
        if heard == "held":
            self.model.shelves[sku].on_hand -= units
        self.note(f"take out: {heard}")
        if heard == "stock_checking":
            self.heal(process, sku)

    @precondition(lambda self: self.model.rebuilds < 3)  # each tidies up, and little goes wrong in a tidy stock
    @rule(process=PROCESS, sku=SKUS, limit=st.sampled_from([None, 2, 3, 5]))
    def set_limit(self, process: int, sku: str, limit: int | None) -> None:
        """Perhaps to what it was; the numbers are rebuilt in any case."""
        adjustments.set_limit(self.rooms[process], sku, limit)
        self.model.shelves[sku].limit = limit
        self.model.rebuild()

    @rule(sku=SKUS, units=UNITS, fresh=st.integers(0, 2), arrivals=st.lists(st.integers(0, 2), min_size=1, max_size=3))
    def movements_arrive_one_by_one(self, sku: str, units: int, fresh: int, arrivals: list[int]) -> None:
        """Some fresh ones, and each of `arrivals` (0: the last) early, in turn, or once more."""
        for _ in range(fresh):
            self.receive(DAWDLER, sku, units)
        shelf = self.model.shelves[sku]
        for back in arrivals:
            if back < len(shelf.movements) and sku not in self.model.closed:
                self._arrive(sku, shelf, len(shelf.movements) - 1 - back)

    def _arrive(self, sku: str, shelf: Shelf, place: int) -> None:
        expected = "applied" if place == shelf.applied else "gap" if place > shelf.applied else "applied_before"
        assert tell_movement(self.room, sku, 2 + place) == expected  # number 1 was the first import
        shelf.applied += expected == "applied"
        self.note(f"a movement alone: {expected}")
