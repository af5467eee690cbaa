"""Whole carts become orders, and orders are cancelled."""

from hypothesis.stateful import precondition, rule

from storefront.core.errors import Refusal
from storefront.stock.settlement import settle_all
from tests.stock.history.draws import PICK, TELLER
from tests.stock.history.model import Claim
from tests.stock.history.stage import Stage, among
from tests.stock.steps import cancel_lines_only, sell_only


class Orders(Stage):
    def __init__(self) -> None:
        super().__init__()
        self.orders: list[list[Claim]] = []

    @among("active")
    @rule(teller=TELLER, number=PICK)
    def order(self, teller: int, number: int) -> None:
        """All that somebody holds, or nothing of it."""
        shopper = self.pick(number, "active")[1].shopper
        cart = {
            id: self.model.claims[id] for id in self.model.ids("active") if self.model.claims[id].shopper == shopper
        }
        late = {claim.sku for claim in cart.values() if self.model.overdue(claim)}
        short = {claim.sku for claim in cart.values() if self._units(cart, claim.sku) > self.model.sellable(claim.sku)}
        try:
            sold = sell_only(self.room, *cart, shopper=shopper)
        except Refusal as refusal:
            assert (refusal.code, refusal.facts["sku"]) in {
                *(("hold_expired", sku) for sku in late),
                *(("insufficient_stock", sku) for sku in short if not late),
            }
            self.note(f"order: {refusal.code}")
            return
        assert not late and not short
        settle_all(self.tellers[teller], sold)
        lines = list(cart.values())
        for claim in lines:
            claim.state = "sold"
        self.tell(teller, lambda: self.model.settle(*lines))
        self.orders.append(lines)
        self.note(f"order: {len({claim.sku for claim in lines})} SKUs")

    def _units(self, cart: dict[str, Claim], sku: str) -> int:
        return sum(claim.units for claim in cart.values() if claim.sku == sku)

    @precondition(lambda self: self.orders or self.model.ids("active"))
    @rule(teller=TELLER, number=PICK)
    def cancel(self, teller: int, number: int) -> None:
        if not self.orders:
            self.order(teller, number)
        if self.orders:
            self._cancel(teller, number)

    def _cancel(self, teller: int, number: int) -> None:
        lines = self.orders.pop(number % len(self.orders))
        cancel_lines_only(self.room, [(line.sku, line.units) for line in lines], lines[0].shopper)
        for line in sorted(lines, key=lambda line: (line.sku, line.units)):
            line.cancelled = True
            self.model.shelves[line.sku].move(line.units, line.shopper)
        self.tell_movements(teller, *{line.sku for line in lines})
        self.note("cancel")
