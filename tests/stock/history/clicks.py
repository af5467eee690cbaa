"""The clicks of shoppers: on new pages and old ones, repeated, unanswered, or stuck before the journal."""

from contextlib import suppress
from dataclasses import dataclass, replace

from hypothesis.stateful import initialize, precondition, rule
from redis.exceptions import RedisError

from storefront.stock import reservations
from storefront.stock.journal import Entry
from storefront.stock.settlement import follow_sql
from tests.stock.history.draws import ENDED, HOLD_SECONDS, PICK, PROCESS, SEEN, SHOPPERS, SKUS, UNITS
from tests.stock.history.model import Claim, Hold
from tests.stock.history.stage import Stage, among, outcome_of
from tests.stock.steps import reply_lost, take_entry


@dataclass
class Stuck:
    """A click whose process stands still before the journal, and when and how the model saw it."""

    entry: Entry
    hold: Hold
    moved_ms: int
    epochs: int


class Clicks(Stage):
    def __init__(self) -> None:
        super().__init__()
        self.clicks = 0
        self.stuck: list[Stuck] = []

    def _new_id(self) -> str:
        self.clicks += 1
        return f"r{self.clicks}"

    def _remember(self, id: str, claim: Claim) -> None:
        """A click that was refused has left nothing."""
        if claim.hold or claim.state:
            self.model.claims[id] = claim

    @initialize()
    def two_shoppers_come(self) -> None:
        self.click(0, "ann", "MUG", 3)
        self.click(0, "ann", "CAP", 1)
        self.click(1, "bob", "CAP", 2)

    @rule(process=PROCESS, shopper=SHOPPERS, sku=SKUS, units=UNITS)
    def click(self, process: int, shopper: str, sku: str, units: int) -> None:
        self._click(process, self._new_id(), Claim(shopper, sku, units))

    @among("active", "sold")
    @rule(process=PROCESS, number=PICK, units=UNITS, seen=SEEN)
    def click_for_more(self, process: int, number: int, units: int, seen: int | None) -> None:
        """Who has some already wants more; `seen`: what his page believes that he holds."""
        _, claim = self.pick(number, "active", "sold")
        self._click(process, self._new_id(), Claim(claim.shopper, claim.sku, units), seen)

    @among()
    @rule(process=PROCESS, number=PICK)
    def click_again(self, process: int, number: int) -> None:
        self._click(process, *self.pick(number))

    def _click(self, process: int, id: str, claim: Claim, seen: int | None = None) -> None:
        room, units = self.rooms[process], claim.units
        expected = self.model.click(claim, HOLD_SECONDS[process], seen)

        heard = outcome_of(
            lambda: reservations.reserve(
                room, shopper=claim.shopper, sku=claim.sku, units=units, reservation_id=id, seen=seen
            )
        )

        assert heard == expected
        self._remember(id, claim)
        self.note(f"click: {heard}")
        if heard == "stock_checking":
            self.heal(process, claim.sku)

    @rule(process=PROCESS, shopper=SHOPPERS, sku=SKUS, units=UNITS)
    def click_and_never_hear(self, process: int, shopper: str, sku: str, units: int) -> None:
        """The script has run, and its answer is lost."""
        if sku in self.model.closed:
            return
        id, claim, room = self._new_id(), Claim(shopper, sku, units), self.rooms[process]
        room.fence.refresh(room.engine)  # the answer to one that is behind would be that nothing was taken

        with reply_lost(room), suppress(RedisError):
            reservations.reserve(room, shopper=shopper, sku=sku, units=units, reservation_id=id)
            raise AssertionError("the answer came out of nowhere")

        self.note(f"click: answer lost, {self.model.take(claim, HOLD_SECONDS[process])}")
        self._remember(id, claim)

    @rule(process=PROCESS, shopper=SHOPPERS, sku=SKUS, units=UNITS)
    def click_and_get_stuck(self, process: int, shopper: str, sku: str, units: int) -> None:
        self._get_stuck(process, self._new_id(), Claim(shopper, sku, units))

    @among(*ENDED)
    @rule(process=PROCESS, number=PICK)
    def click_again_and_get_stuck(self, process: int, number: int) -> None:
        self._get_stuck(process, *self.pick(number, *ENDED))

    def _get_stuck(self, process: int, id: str, claim: Claim) -> None:
        if claim.sku in self.model.closed:
            return
        expected = self.model.take(claim, HOLD_SECONDS[process])
        answer, entry = take_entry(self.rooms[process], claim.sku, claim.units, claim.shopper, id)
        assert answer.replace("held_before", "held") == expected
        self._remember(id, claim)
        if entry and claim.hold:
            self.stuck.append(Stuck(entry, replace(claim.hold), self.moved_ms, self.model.epochs))

    @precondition(lambda self: self.stuck)
    @rule(process=PROCESS, number=PICK)
    def a_click_goes_on(self, process: int, number: int) -> None:
        click = self.stuck.pop(number % len(self.stuck))
        id, room = click.entry.id, self.rooms[process]
        claim = self.model.claims[id]
        stale = click.epochs != self.model.epochs
        expected = claim.state or "stale" if stale else self.model.journal(claim, click.hold)
        deadline_ms = click.entry.expires_at_ms - (self.moved_ms - click.moved_ms)

        state = room.journal.write(replace(click.entry, expires_at_ms=deadline_ms))

        assert state == expected
        self.note(f"click: goes on, {state}")
        if state not in ("active", "stale"):
            follow_sql(room, claim.sku, [id], room.now_ms())
            self.model.settle(claim)
