"""Delivery: batches go out, and what the ERP says of each document is marked on its row.

SQL is the truth. Before a batch is sent it is marked "unknown", so whoever comes after a process that was killed
in the middle of it knows that the ERP may have it: where it can be asked it is asked, and only then the very same
batch is sent again, which an adapter books once per key.
"""

import logging
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from storefront.core.db import transaction
from storefront.erp import batches, buffer, link, marks
from storefront.erp.adapter import Ack, Batch, BatchRejected, ErpAmbiguous, ErpError, ErpThrottled, Result
from storefront.erp.batches import Standing
from storefront.erp.documents import CANCELLED
from storefront.erp.exchange import Exchange
from storefront.erp.link import Lease
from storefront.erp.marks import Answer

READY_MOST = 20  # batches made before the first of them is answered: an ERP that is down should not cost a table
AHEAD = 20  # batches that begin, and are marked, in one commit, where that can be
MARK_SECONDS = 0.25  # by then what was answered is marked, however few batches
SPLIT_TRIES = 5  # a batch that alone fails so often, while others pass, is halved to find out why
log = logging.getLogger(__name__)


@dataclass
class Delivered:
    """What came of one round; `busy`: another process was at it."""

    busy: bool = False
    batches: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    error: str = ""

    def as_json(self) -> dict[str, int | str | bool]:
        return {"busy": self.busy, "batches": self.batches, "error": self.error, **self.outcomes}


def deliver(exchange: Exchange, *, now: bool = False, seconds: float = 8.0) -> Delivered:
    """Send what is due, for `seconds` at most.

    now: an operator asks, so nothing waits: not for more rows, not for its next try, not for the breaker.
    """
    done = Delivered()
    if not now and not buffer.has_unfinished(exchange.room, exchange.channel):
        return done
    with link.leased(exchange.room, exchange.name, exchange.lease_ms) as lease:
        if lease is None:
            done.busy = True
            return done
        try:
            Turn(exchange, lease, done, now).run(time.monotonic() + seconds)
        except link.LeaseLost as lost:
            done.busy, done.error = True, str(lost)
    return done


class Turn:
    """One holder's turn at the link; what comes of it is counted in `done`."""

    def __init__(self, exchange: Exchange, lease: Lease, done: Delivered | None = None, now: bool = False):
        self._exchange, self._lease, self._done, self._now = exchange, lease, done or Delivered(), now
        self._room, self._adapter = exchange.room, exchange.adapter
        self._until = 0.0
        self._tried: set[str] = set()
        self._made: dict[str, str] = {}  # contents of batches that we made: what was just written need not be read
        self._begun: list[Standing] = []  # noted as sent, and not sent yet
        self._answered: list[Answer] = []  # and not marked yet
        self._mark_at = 0.0

    def run(self, until: float) -> None:
        self._until = until
        if not self._works():
            return
        self.hear()
        while self._begun or time.monotonic() < until:
            due = self._begun or self._next()
            if not due or not self._send(due):
                break
        self._let_go()

    # -- the breaker -------------------------------------------------------------------------------------------

    def _works(self) -> bool:
        """Whether the breaker lets us through; half-open, the ERP is asked how it is first."""
        there = link.look(self._room, self._exchange.name)
        state = link.breaker_of(there, self._room.now_ms())
        if state == "open" and not self._now:
            self._done.error = there.error
            return False
        if state != "closed":
            try:
                self._adapter.health()
            except ErpError as error:
                self._fail(error)
                return False
        return True

    def _fail(self, error: Exception) -> None:
        self._done.error = f"{type(error).__name__}: {error}"
        log.warning("the ERP (%s) has not answered as agreed: %s", self._exchange.name, self._done.error)
        with transaction(self._room.engine) as session:
            now_ms = self._room.now_ms()
            link.note_failure(link.check(session, self._lease, now_ms), error, now_ms)

    # -- what the ERP says of what it has ----------------------------------------------------------------------

    def hear(self) -> None:
        """Take in acknowledgements, and ask about what was accepted and is not booked yet."""
        try:
            if self._adapter.capabilities.asynchronous_acks:
                self._poll()
            if self._adapter.capabilities.can_look_up:
                self._ask()
        except ErpError as error:
            self._fail(error)

    def _poll(self) -> None:
        with Session(self._room.engine) as session:
            waiting = batches.in_state(session, self._exchange.name, ("accepted",))
        by_sequence = {batch.sequence: batch for batch in waiting}
        for ack in self._adapter.poll_acks([batches.head_of(batch) for batch in waiting]):
            self._take_in(by_sequence[ack.sequence], ack)

    def _take_in(self, batch: Standing, ack: Ack) -> None:
        if ack.refused is not None:
            self._refused(batch, ack.refused)
        else:
            self._mark(batch, ack.results)
        with transaction(self._room.engine) as session:
            marks.note_problems(session, self._exchange.name, ack.problems, self._room.now_ms())

    def _ask(self) -> None:
        due_ms = None if self._now else self._room.now_ms()
        with Session(self._room.engine) as session:
            rows = marks.accepted_rows(session, self._exchange.channel, due_ms, self._adapter.capabilities.max_batch)
        if not rows:
            return
        found = self._adapter.lookup([batches.key_of(row) for row in rows])
        with transaction(self._room.engine) as session:
            now_ms = self._room.now_ms()
            link.check_answered(session, self._lease, now_ms)
            self._done.outcomes += marks.follow_up(session, rows, found, now_ms)

    # -- batches -----------------------------------------------------------------------------------------------

    def _next(self) -> list[Standing]:
        """The batches to send next; new ones are made once those before are answered."""
        now_ms = self._room.now_ms()
        with Session(self._room.engine) as session:
            due, unsent = self._due(session, now_ms)
        if due or unsent >= READY_MOST:
            return due
        with transaction(self._room.engine) as session:
            link.check(session, self._lease, now_ms)
            cut = self._exchange.cut(self._now)
            made = batches.freeze(session, self._exchange.name, cut, now_ms, READY_MOST)
            due, _ = self._due(session, now_ms)
        self._made |= made
        return due

    def _due(self, session: Session, now_ms: int) -> tuple[list[Standing], int]:
        """The batches that may be sent now, and how many there are that were not answered."""
        unsent = batches.in_state(session, self._exchange.name, batches.UNSENT)
        may_go = [one.id not in self._tried and (self._now or one.due_at_ms <= now_ms) for one in unsent]
        if self._adapter.capabilities.in_order and False in may_go:
            return unsent[: may_go.index(False)], len(unsent)
        return [one for one, may in zip(unsent, may_go, strict=True) if may], len(unsent)

    def _send(self, due: Sequence[Standing]) -> bool:
        """Send the first batch, or find out what has become of it; return whether to go on with the next."""
        batch = due[0]
        self._tried.add(batch.id)
        try:
            if not self._begun:
                if batch.state == "unknown" and self._adapter.capabilities.can_look_up and self._is_there(batch):
                    return True
                self._begin(due)
            self._begun.remove(batch)
            sent = self._opened(batch)
            results = self._hand_over(sent)
        except BatchRejected as refusal:
            self._refused(batch, str(refusal))
        except ErpError as error:
            self._put_off(batch, error, "unknown" if isinstance(error, ErpAmbiguous) else batch.state)
            return not self._adapter.capabilities.in_order and self._works()
        except Exception as error:  # a bug of an adapter's: nobody knows what was sent; RQ shows it
            self._put_off(batch, error, "unknown")
            raise
        else:
            self._done.batches += 1
            self._hear_of(Answer(sent, again=batch.state != "frozen", results=results))
        return True

    def _is_there(self, batch: Standing) -> bool:
        """Ask what has become of a batch that was sent without an answer; return whether all of it is there."""
        with Session(self._room.engine) as session:
            keys = [batches.key_of(row) for row in batches.rows_of(session, batch.id) if row.state == "batched"]
        return self._mark(batch, list(self._adapter.lookup(keys).values())) if keys else True

    def _begin(self, due: Sequence[Standing]) -> None:
        with transaction(self._room.engine) as session:
            now_ms = self._room.now_ms()
            link.check(session, self._lease, now_ms)
            self._note_sending(session, due, now_ms)

    def _note_sending(self, session: Session, due: Sequence[Standing], now_ms: int) -> None:
        """Note that a batch is about to be sent, and some that follow it where that is sure to do no harm.

        An ERP that works batches off in order knows each by its sequence: one that is sent again, or was not sent
        after all, is no trouble to it. Others have to be asked about each, or may hear of it twice.
        """
        can = self._adapter.capabilities
        self._begun = list(due[: AHEAD if can.in_order and not can.can_look_up else 1])
        self._mark_at = time.monotonic() + MARK_SECONDS
        batches.note_sending(session, self._begun, now_ms)

    def _hear_of(self, answer: Answer) -> None:
        """Mark what a batch was answered, with what is not marked yet, unless others follow at once."""
        self._answered.append(answer)
        whole = len(answer.batch.documents) == sum(result.outcome != "unknown" for result in answer.results)
        if not whole or not self._begun or time.monotonic() > self._mark_at:
            self._mark_answered()
        if not whole:
            self._let_go()  # in order: the next waits for this one

    def _mark_answered(self) -> None:
        """Mark what was answered; with it the next begin, which saves a commit."""
        if not self._answered:
            return
        with transaction(self._room.engine) as session:
            now_ms = self._room.now_ms()
            link.check_answered(session, self._lease, now_ms)
            outcomes = marks.mark_sent(session, self._answered, now_ms)
            if not self._begun and time.monotonic() < self._until:
                due = [one for one in self._due(session, now_ms)[0] if one.state == "frozen"]
                if due:
                    self._note_sending(session, due, now_ms)
        self._answered = []
        self._done.outcomes += outcomes

    def _let_go(self) -> None:
        """Take back the notes about batches that were not sent after all."""
        frozen = [batch for batch in self._begun if batch.state == "frozen"]
        self._begun = []
        if frozen:
            with transaction(self._room.engine) as session:
                link.check(session, self._lease, self._room.now_ms())
                batches.note_unsent(session, frozen)

    def _opened(self, batch: Standing) -> Batch:
        content = self._made.pop(batch.id, None)
        if content is None:
            with Session(self._room.engine) as session:
                content = batches.content_of(session, batch)
        return batches.opened(batch, content)

    def _hand_over(self, batch: Batch) -> Sequence[Result]:
        return self._adapter.cancel(batch) if batch.kind == CANCELLED else self._adapter.submit(batch)

    def _mark(self, batch: Standing, results: Sequence[Result]) -> bool:
        """Mark the rows of a batch; return whether each of them has an answer now."""
        with transaction(self._room.engine) as session:
            now_ms = self._room.now_ms()
            link.check_answered(session, self._lease, now_ms)
            marked = marks.mark(session, batch.id, results, now_ms)
        self._done.outcomes += marked.outcomes
        return marked.state != "unknown"

    def _refused(self, batch: Standing, words: str) -> None:
        """The ERP takes none of a batch, because of something in it: halve it, and in the end we know of what."""
        self._mark_answered()
        with transaction(self._room.engine) as session:
            now_ms = self._room.now_ms()
            link.check_answered(session, self._lease, now_ms)
            self._done.outcomes += marks.refuse(session, batch.id, words, now_ms)

    def _put_off(self, batch: Standing, error: Exception, state: str) -> None:
        self._mark_answered()
        with transaction(self._room.engine) as session:
            now_ms = self._room.now_ms()
            there = link.check(session, self._lease, now_ms)
            alone = batch.tries + 1 >= SPLIT_TRIES and there.failures == 0 and not isinstance(error, ErpThrottled)
            if alone and batch.documents > 1 and not self._adapter.capabilities.in_order:
                marks.refuse(session, batch.id, str(error), now_ms)
            else:
                marks.put_off(session, batch.id, f"{type(error).__name__}: {error}", state, now_ms)
        self._fail(error)
