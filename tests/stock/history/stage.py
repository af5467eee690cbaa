"""What all rules work with: the processes, the model beside them, the clock, and letters that are on their way."""

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, ClassVar

from hypothesis.stateful import RuleBasedStateMachine, precondition
from redis.exceptions import RedisError
from sqlalchemy import text

from storefront.core.errors import Refusal
from storefront.stock import ledger
from storefront.stock.outcomes import AlreadyHeld, HoldWithdrawn, StockChecking
from storefront.stock.rebuild import rebuild, rebuild_if_closed
from storefront.stock.stockroom import Stockroom
from tests.stock.history.draws import DAWDLER, HOLD_SECONDS
from tests.stock.history.model import Claim, Model, Shelf
from tests.stock.steps import let_time_pass

Question = Callable[[int], Any]

_LEVEL = text(
    "INSERT INTO stock_levels (sku, location, on_hand, committed, unavailable, shortfall, number, limit_per_shopper)"
    " VALUES (:sku, 'main', :on_hand, 0, 0, 0, 1, :limit)"
)
_MOVEMENT = text(
    "INSERT INTO stock_movements (sku, location, kind, number, on_hand, committed, unavailable, reason, cause, shopper,"
    " created_at_ms) VALUES (:sku, 'main', 'received', 1, :on_hand, 0, 0, 'first import', 'catalog import', '', 0)"
)


@dataclass
class Dawdler(Stockroom):
    """A process that stands still whenever it is about to speak to Redis; what it wanted to say waits in `unsaid`."""

    unsaid: list[Question] = field(default_factory=list)

    def ask(self, sku: str, question: Question, closed: Callable[[Any], bool] = bool) -> Any:
        self.unsaid.append(question)
        raise StockChecking


@dataclass
class Letter:
    """What Redis will hear of the dawdler, and what becomes of the model's Redis by that."""

    send: Callable[[], Any]
    effect: Callable[[], Any]


class Stage(RuleBasedStateMachine):
    """Two processes and a dawdler over one stock, and the model; each history starts afresh.

    `met` counts in how many histories each noteworthy thing has happened.
    """

    rooms: ClassVar[tuple[Stockroom, Stockroom]]
    met: ClassVar[Counter[str]]

    def __init__(self) -> None:
        super().__init__()
        self.room = room = self.rooms[0]
        hold_ms = HOLD_SECONDS[DAWDLER] * 1000
        self.dawdler = Dawdler(room.redis, room.engine, room.unfenced, hold_ms, fence=room.fence)
        self.tellers = (*self.rooms, self.dawdler)
        self.letters: list[Letter] = []
        self.model = Model({"MUG": Shelf(7, limit=3), "CAP": Shelf(4)})
        self.skus = list(self.model.shelves)
        self.moved_ms = 0
        self._noted: set[str] = set()
        self._start_over()

    def _start_over(self) -> None:
        self.room.unfenced.flushall()
        shelves = [dict(sku=sku, on_hand=one.on_hand, limit=one.limit) for sku, one in self.model.shelves.items()]
        with self.room.engine.begin() as connection:
            for table in ("reservations", "stock_movements", "stock_levels"):
                connection.execute(text(f"DELETE FROM {table}"))
            connection.execute(_LEVEL, shelves)
            connection.execute(_MOVEMENT, shelves)
        rebuild(self.room)

    def note(self, what: str) -> None:
        """Something noteworthy happens in this history."""
        if what not in self._noted:
            self._noted.add(what)
            self.met[what] += 1

    def pick(self, number: int, *states: str, least: int = 1) -> tuple[str, Claim]:
        ids = self.model.ids(*states, least=least)
        id = ids[number % len(ids)]
        return id, self.model.claims[id]

    def let_pass(self, seconds: int) -> None:
        if seconds:
            let_time_pass(self.room, self.skus, seconds * 1000)
            self.moved_ms += seconds * 1000
            self.model.now += seconds

    def tell(self, teller: int, effect: Callable[[], Any]) -> None:
        """The model's Redis hears it now, or when the dawdler's letter arrives."""
        if teller != DAWDLER:
            effect()
            return
        question = self.dawdler.unsaid.pop()
        self.letters.append(Letter(lambda: self._say(question), effect))

    def _say(self, question: Question) -> None:
        with suppress(StockChecking, RedisError):
            Stockroom.ask(self.dawdler, "", question, closed=lambda _: False)

    def deliver(self, letter: Letter) -> None:
        letter.send()
        letter.effect()

    def tell_movements(self, teller: int, *skus: str) -> None:
        """All that Redis has missed, these and earlier ones; the dawdler leaves it to others."""
        if teller != DAWDLER:
            ledger.tell(self.tellers[teller], skus)
            for sku in skus:
                self.model.hear_movements(sku)

    def rebuild(self, process: int) -> None:
        rebuild(self.rooms[process])
        self.model.rebuild()

    def heal(self, process: int, sku: str) -> None:
        """Who finds the gate closed has the numbers rebuilt."""
        assert rebuild_if_closed(self.rooms[process], sku)
        self.model.rebuild()


def among(*states: str, least: int = 1) -> Callable[[Any], Any]:
    """The rule needs a claim in one of these states (any, where none is given), of at least so many units."""
    return precondition(lambda stage: stage.model.ids(*states, least=least) != [])


def outcome_of(call: Callable[[], Any]) -> str:
    """What a shopper hears, in a word."""
    try:
        return "already" if isinstance(call(), AlreadyHeld) else "held"
    except HoldWithdrawn:
        return "withdrawn"
    except Refusal as refusal:
        return refusal.code
