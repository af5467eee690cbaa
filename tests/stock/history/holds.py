"""What becomes of holds: released, lowered, extended, run out; and what Redis hears of it late."""

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from storefront.stock import reservations
from storefront.stock.outcomes import ExtensionLimit, HoldExpired
from storefront.stock.settlement import move_deadline
from tests.stock.history.draws import DAWDLER, ENDED, HOLD_SECONDS, PICK, PROCESS, TELLER
from tests.stock.history.model import MOST_EXTENSIONS, Claim
from tests.stock.history.stage import Stage, among


class Holds(Stage):
    @among()
    @rule(teller=TELLER, number=PICK)
    def release(self, teller: int, number: int) -> None:
        id, claim = self.pick(number)
        self.note(f"release: {claim.state or 'no row'}")
        assert reservations.release(self.tellers[teller], id, claim.sku) == self.model.end(claim, "released")
        self.tell(teller, lambda: self.model.settle(claim))

    @among("active", least=2)
    @rule(teller=TELLER, number=PICK, less=st.integers(1, 2))
    def lower(self, teller: int, number: int, less: int) -> None:
        id, claim = self.pick(number, "active", least=2)
        self.lower_to(max(1, claim.units - less), teller, id, claim)

    def lower_to(self, units: int, teller: int, id: str, claim: Claim) -> None:
        claim.units = units
        assert reservations.shrink(self.tellers[teller], id, claim.sku, units)
        self.tell(teller, lambda: self.model.settle(claim, staying=units))
        self.note("lowered")

    @among("active")
    @rule(teller=TELLER, number=PICK)
    def extend(self, teller: int, number: int) -> None:
        id, claim = self.pick(number, "active")
        late, often = self.model.overdue(claim), claim.extensions == MOST_EXTENSIONS
        try:
            deadline_ms = reservations.extend(self.tellers[teller], id, claim.sku)
        except (HoldExpired, ExtensionLimit) as refusal:
            assert refusal.code == ("hold_expired" if late else "extension_limit" if often else "held")
            self.note(f"extend: {refusal.code}")
            return
        assert not late and not often
        self.note("extend: held")
        claim.extensions += 1
        claim.deadline = deadline = max(claim.deadline, self.model.now + HOLD_SECONDS[teller])
        self.tell(teller, lambda: self.model.hear_deadline(claim, deadline))
        if teller == DAWDLER:  # the clock may move on before the letter arrives
            at_ms = deadline_ms + self.moved_ms
            self.letters[-1].send = lambda: move_deadline(self.room, claim.sku, id, at_ms - self.moved_ms)

    @among(*ENDED)
    @rule(process=PROCESS, number=PICK)
    def extend_what_is_no_more(self, process: int, number: int) -> None:
        id, claim = self.pick(number, *ENDED)
        try:
            reservations.extend(self.rooms[process], id, claim.sku)
        except HoldExpired:
            return
        raise AssertionError("a hold has come to life again")

    @rule(minutes=st.integers(1, 3), swept=st.booleans(), teller=TELLER)
    def time_goes_by(self, minutes: int, swept: bool, teller: int) -> None:
        self.let_pass(minutes * 60)
        overdue = {self.model.overdue(claim) for claim in self.model.claims.values() if claim.state == "active"}
        if overdue == {True, False}:
            self.note("some holds have run out, others have not")
        if swept:
            self.sweep(teller)

    @rule(teller=TELLER)
    def sweep(self, teller: int) -> None:
        due = [claim for claim in self.model.claims.values() if claim.state == "active" and self.model.overdue(claim)]
        for claim in due:
            self.model.end(claim, "expired")
        assert reservations.expire_all_due(self.tellers[teller]) == len(due)
        if due:
            self.tell(teller, lambda: self.model.settle(*due))
            self.note("holds expire")

    @precondition(lambda self: self.letters)
    @rule(number=PICK)
    def a_letter_arrives(self, number: int) -> None:
        """Any of them, also one that has arrived before."""
        self.deliver(self.letters[number % len(self.letters)])
        self.note("a letter arrives")
