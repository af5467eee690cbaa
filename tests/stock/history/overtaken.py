"""Steps that others overtake half-way: all of it happens by chance too, but rarely."""

from hypothesis import strategies as st
from hypothesis.stateful import rule

from tests.stock.history.clicks import Clicks
from tests.stock.history.draws import DAWDLER, PICK, PROCESS, SHOPPERS, SKUS, UNITS
from tests.stock.history.holds import Holds
from tests.stock.history.orders import Orders
from tests.stock.history.stage import among

CHANGE = st.sampled_from(["extend", "lower"])


class Overtaken(Clicks, Holds, Orders):
    @rule(process=PROCESS, shopper=SHOPPERS, sku=SKUS, units=UNITS, by=st.sampled_from(["a rebuild", "a release"]))
    def a_click_is_overtaken(self, process: int, shopper: str, sku: str, units: int, by: str) -> None:
        """Redis has the hold; the row comes when there has been a rebuild, or a tombstone."""
        before = len(self.stuck)
        self.click_and_get_stuck(process, shopper, sku, units)
        if len(self.stuck) > before:
            if by == "a rebuild":
                self.rebuild(process)
            else:
                self.release(process, self._place_of(self.stuck[-1].entry.id))
            self.a_click_goes_on(process, before)

    @among("active")
    @rule(process=PROCESS, number=PICK, by=st.sampled_from(["a release", "a click"]))
    def an_order_is_overtaken(self, process: int, number: int, by: str) -> None:
        """SQL has sold a hold, and Redis has not heard of it."""
        id, claim = self.pick(number, "active")
        self.order(DAWDLER, number)
        if claim.state == "sold":
            overtake = self.release if by == "a release" else self.click_again
            overtake(process, self._place_of(id))

    def _place_of(self, id: str) -> int:
        return self.model.ids().index(id)

    @among("active")
    @rule(process=PROCESS, number=PICK, first=CHANGE, minutes=st.integers(1, 2), then=CHANGE)
    def a_change_is_overtaken(self, process: int, number: int, first: str, minutes: int, then: str) -> None:
        """Redis hears of the second change of a hold before it hears of the first."""
        before = len(self.letters)
        self._change(first, DAWDLER, number)
        self.let_pass(minutes * 60)
        self._change(then, process, number)
        for letter in self.letters[before:]:
            self.deliver(letter)

    def _change(self, what: str, teller: int, number: int) -> None:
        if what == "extend":
            self.extend(teller, number)
        elif self.model.ids("active", least=2):
            self.lower(teller, number)
