"""What goes wrong with Redis, and what mends it."""

from functools import partial

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from storefront.stock import keys
from storefront.stock.repair import repair
from storefront.stock.verify import verify
from tests.stock.history.draws import HOLD_SECONDS, PROCESS, SKUS
from tests.stock.history.stage import Stage, outcome_of
from tests.stock.steps import hold, introduce_late, rebuild_and_die

LOSS = st.sampled_from(["everything", "scripts", "a counter", "half a rebuild"])
when_open = precondition(lambda self: not self.model.closed)


class Accidents(Stage):
    @rule(process=PROCESS, sku=SKUS, loss=LOSS, noticed=st.booleans())
    def lose_memory(self, process: int, sku: str, loss: str, noticed: bool) -> None:
        redis = self.room.unfenced
        match loss:
            case "everything":
                redis.flushall()
            case "scripts":
                redis.script_flush()
            case "a counter":
                redis.delete(keys.level(sku))
            case "half a rebuild":
                rebuild_and_die(self.rooms[process])
                self.model.epochs += 1
        self.model.closed.update([sku] if loss == "a counter" else self.skus)
        self.note(f"lost: {loss}")
        if noticed:
            for room in self.rooms:
                assert outcome_of(partial(hold, room, sku, shopper="eve", id="never")) == "stock_checking"
            self.heal(process, sku)

    @when_open
    @rule(process=PROCESS)
    def repair(self, process: int) -> None:
        self.let_pass(30)  # all else happens at full minutes, so nothing is due within seconds of a repair
        self.note("repair: nothing to do" if self.model.at_rest() else "repair")
        repair(self.rooms[process])
        self.model.repair(HOLD_SECONDS[process])
        self.let_pass(30)

    @when_open
    @rule(process=PROCESS)
    def verify(self, process: int) -> None:
        at_rest = self.model.at_rest()
        assert (verify(self.rooms[process], 0) == []) == at_rest
        self.note("verify: true" if at_rest else "verify: drift")

    @rule(sku=SKUS)
    def an_introduction_comes_late(self, sku: str) -> None:
        if sku not in self.model.closed:
            assert introduce_late(self.room, sku, units=9) == 0
