"""Random histories of several shoppers, an operator, accidents and rebuilds, held against a plain model.

Two processes take the steps, so one of them is often behind a rebuild. A process may die between two steps
(`…_and_die`); until a repair or a rebuild, Redis may then show too little, but never too much.
"""

from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from storefront.core.db import transaction
from storefront.core.errors import Refusal
from storefront.stock import adjustments, keys, ledger, reservations
from storefront.stock.outcomes import AlreadyHeld
from storefront.stock.rebuild import rebuild, rebuild_if_closed
from storefront.stock.repair import repair
from storefront.stock.settlement import settle_all
from storefront.stock.stockroom import Stockroom
from tests.stock.invariants import WatchedStock
from tests.stock.model import MOST_EXTENSIONS, Claim
from tests.stock.steps import cancel_only, let_run_out, receive_only, sell_only, take_only

SKUS = st.sampled_from(["MUG", "CAP"])
SHOPPERS = st.sampled_from(["ann", "bob"])
UNITS = st.integers(1, 4)
PROCESS = st.sampled_from([0, 1])
PICK = st.integers(0, 1_000)
SEEN = st.integers(0, 2)
DIES = st.sampled_from([False, False, False, True])  # between its two steps


def among(*states: str) -> Callable[[Any], Any]:
    """The rule needs a claim in one of these states (any, where none is given)."""
    return precondition(lambda self: self.model.ids(*states) != [])


def outcome_of(call: Callable[[], Any]) -> str:
    try:
        return "already" if isinstance(call(), AlreadyHeld) else "held"
    except Refusal as refusal:
        return refusal.code


class StockHistory(WatchedStock):
    """The rules; each takes its step in the stock and in the model, and compares what comes back."""

    def _new_id(self) -> str:
        self.clicks += 1
        return f"r{self.clicks}"

    def pick(self, number: int, *states: str) -> tuple[str, Claim]:
        ids = self.model.ids(*states)
        id = ids[number % len(ids)]
        return id, self.model.claims[id]

    # A shopper's clicks

    @initialize()
    def two_shoppers_come(self) -> None:
        self.click(0, "ann", "MUG", 2)
        self.click(1, "bob", "CAP", 1)

    @rule(process=PROCESS, shopper=SHOPPERS, sku=SKUS, units=UNITS)
    def click(self, process: int, shopper: str, sku: str, units: int) -> None:
        self._click(self.rooms[process], self._new_id(), Claim(shopper, sku, units))

    @rule(process=PROCESS, shopper=SHOPPERS, sku=SKUS, units=UNITS, seen=SEEN)
    def click_on_a_page_that_may_be_old(self, process: int, shopper: str, sku: str, units: int, seen: int) -> None:
        self._click(self.rooms[process], self._new_id(), Claim(shopper, sku, units), seen)

    @among()
    @rule(process=PROCESS, number=PICK)
    def click_again(self, process: int, number: int) -> None:
        self._click(self.rooms[process], *self.pick(number))

    def _click(self, room: Stockroom, id: str, claim: Claim, seen: int | None = None) -> None:
        known = self.model.claims.get(id)
        expected = self.model.answer_to(claim.shopper, claim.sku, claim.units, seen)
        if known and known.state in ("active", "orphan"):
            expected = "held"
        elif known and expected == "held":
            expected = "hold_ended"

        heard = outcome_of(
            lambda: reservations.reserve(
                room, shopper=claim.shopper, sku=claim.sku, units=claim.units, reservation_id=id, seen=seen
            )
        )

        if self.model.lagging and heard != "held":
            assert expected != "held" or not known
        else:
            assert heard == expected
        if heard == "held":
            claim.state = "active"
            self.model.claims[id] = claim

    @rule(shopper=SHOPPERS, sku=SKUS, units=UNITS)
    def click_and_die(self, shopper: str, sku: str, units: int) -> None:
        id = self._new_id()
        if take_only(self.room, sku, units, shopper, id) == "held":
            assert self.model.answer_to(shopper, sku, units, None) == "held"
            self.model.claims[id] = Claim(shopper, sku, units, "orphan")
            self.model.lagging = True

    @among()
    @rule(process=PROCESS, number=PICK)
    def release(self, process: int, number: int) -> None:
        id, claim = self.pick(number)
        assert reservations.release(self.rooms[process], id, claim.sku) == self.model.end(id, "released")

    @among("active")
    @rule(number=PICK)
    def release_and_die(self, number: int) -> None:
        id, _ = self.pick(number, "active")
        with transaction(self.room.engine) as session:
            assert reservations.end(session, [id], "released", self.room.now_ms())
        self.model.end(id, "released")
        self.model.lagging = True

    @among("active")
    @rule(process=PROCESS, number=PICK, units=UNITS)
    def shrink(self, process: int, number: int, units: int) -> None:
        id, claim = self.pick(number, "active")
        assert reservations.shrink(self.rooms[process], id, claim.sku, units) == (claim.units > units)
        claim.units = min(claim.units, units)

    @among()
    @rule(process=PROCESS, number=PICK)
    def extend(self, process: int, number: int) -> None:
        id, claim = self.pick(number)
        heard = outcome_of(lambda: reservations.extend(self.rooms[process], id, claim.sku))
        if claim.state != "active" or claim.overdue:
            assert heard == "hold_expired"
        elif claim.extensions == MOST_EXTENSIONS:
            assert heard == "extension_limit"
        else:
            assert heard == "held"
            claim.extensions += 1

    # Time

    @among("active")
    @rule(number=PICK)
    def let_a_hold_run_out(self, number: int) -> None:
        id, claim = self.pick(number, "active")
        let_run_out(self.room, id)
        claim.overdue = True

    @rule(process=PROCESS)
    def sweep(self, process: int) -> None:
        assert reservations.expire_all_due(self.rooms[process]) == self.model.sweep()

    # Orders

    @among("active")
    @rule(number=PICK, dies=DIES)
    def sell(self, number: int, dies: bool) -> None:
        _, picked = self.pick(number, "active")
        cart = {id: claim for id, claim in self.model.claims.items() if claim.shopper == picked.shopper}
        cart = {id: claim for id, claim in cart.items() if claim.state == "active"}
        late = any(claim.overdue for claim in cart.values())
        short = any(self.model.available(claim.sku) < 0 for claim in cart.values())
        try:
            sold = sell_only(self.room, *cart, shopper=picked.shopper)
        except Refusal as refusal:
            assert late if refusal.code == "hold_expired" else short
            return
        assert not late
        for claim in cart.values():
            claim.state = "sold"
        if dies:
            self.model.lagging = True
        else:
            settle_all(self.room, sold)

    @among("sold")
    @rule(process=PROCESS, number=PICK, dies=DIES)
    def cancel(self, process: int, number: int, dies: bool) -> None:
        _, claim = self.pick(number, "sold")
        cancel_only(self.room, claim.sku, claim.units, claim.shopper)
        claim.state = "cancelled"
        if dies:
            self.model.lagging = True
        else:
            ledger.tell(self.rooms[process], [claim.sku])

    # The operator

    @rule(process=PROCESS, sku=SKUS, units=UNITS, dies=DIES)
    def receive(self, process: int, sku: str, units: int, dies: bool) -> None:
        if dies:
            receive_only(self.room, sku, units)
            self.model.lagging = True
        else:
            adjustments.receive(self.rooms[process], sku, units, "delivery")
        self.model.shelves[sku].on_hand += units

    @rule(process=PROCESS, sku=SKUS, units=UNITS)
    def take_out(self, process: int, sku: str, units: int) -> None:
        heard = outcome_of(lambda: adjustments.adjust(self.rooms[process], sku, -units, "broken"))
        allowed = self.model.shown(sku) >= units
        assert heard == ("held" if allowed else "below_promised") or (self.model.lagging and heard == "below_promised")
        if heard == "held":
            self.model.shelves[sku].on_hand -= units

    @rule(process=PROCESS, sku=SKUS, units=UNITS)
    def lose(self, process: int, sku: str, units: int) -> None:
        adjustments.adjust(self.rooms[process], sku, -units, "fire", force=True)
        self.model.shelves[sku].on_hand -= units

    @rule(process=PROCESS, sku=SKUS, units=st.integers(0, 8))
    def count(self, process: int, sku: str, units: int) -> None:
        room = self.rooms[process]
        assert adjustments.count(room, sku, units, room.now_ms()) == units - self.model.shelves[sku].on_hand
        self.model.shelves[sku].on_hand = units

    # Accidents, and what mends them

    @rule(process=PROCESS)
    def rebuild(self, process: int) -> None:
        rebuild(self.rooms[process])
        self.model.rebuild()

    @rule(process=PROCESS, sku=SKUS, loss=st.sampled_from(["everything", "scripts", "counter"]))
    def lose_memory(self, process: int, sku: str, loss: str) -> None:
        if loss == "everything":
            self.room.unfenced.flushall()
        elif loss == "scripts":
            self.room.unfenced.script_flush()
        else:
            self.room.unfenced.delete(keys.level(sku))
        for room in self.rooms:
            assert self._try(room, sku) == "stock_checking"
        assert rebuild_if_closed(self.rooms[process], sku)
        self.model.rebuild()

    def _try(self, room: Stockroom, sku: str) -> str:
        return outcome_of(lambda: reservations.reserve(room, shopper="eve", sku=sku, units=1, reservation_id="never"))

    @precondition(lambda self: self.model.lagging)
    @rule(process=PROCESS)
    def repair(self, process: int) -> None:
        for id, claim in self.model.claims.items():
            if claim.state == "orphan":
                self.room.unfenced.zadd(keys.due(claim.sku), {id: 1})
        repair(self.rooms[process])
        self.model.repair()


def test_random_histories_agree_with_the_model(room: Stockroom, other_process: Callable[..., Stockroom]) -> None:
    class History(StockHistory):
        rooms = (room, other_process())

    run_state_machine_as_test(
        History,
        settings=settings(
            max_examples=150, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
