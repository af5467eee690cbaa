"""Steps that others overtake half-way: all of it happens by chance too, but rarely."""

from hypothesis import strategies as st
from hypothesis.stateful import rule

from tests.stock.history.clicks import Clicks
from tests.stock.history.draws import DAWDLER, PICK, PROCESS, SHOPPERS, SKUS, UNITS
from tests.stock.history.holds import Holds
from tests.stock.history.orders import Orders
from tests.stock.history.stage import among


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

    @among("active", least=3)
    @rule(process=PROCESS, number=PICK)
    def a_lowering_is_overtaken(self, process: int, number: int) -> None:
        """Redis hears first that little stays, then that more does."""
        id, claim = self.pick(number, "active", least=3)
        self.lower_to(claim.units - 1, DAWDLER, id, claim)
        self.lower_to(claim.units - 1, process, id, claim)
        self.deliver(self.letters[-1])

    @among("active")
    @rule(process=PROCESS, number=PICK, minutes=st.integers(1, 2))
    def an_extension_is_overtaken(self, process: int, number: int, minutes: int) -> None:
        """Redis hears of the later deadline first."""
        before = len(self.letters)
        self.extend(DAWDLER, number)
        self.let_pass(minutes * 60)
        self.extend(process, number)
        for letter in self.letters[before:]:
            self.deliver(letter)
