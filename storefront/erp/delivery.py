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
from itertools import takewhile

from sqlalchemy.orm import Session

from storefront.core.db import transaction
from storefront.erp import batches, buffer, link, marks
from storefront.erp.adapter import Ack, Batch, BatchRejected, ErpAmbiguous, ErpError, ErpThrottled, Result, Several
from storefront.erp.batches import Standing
from storefront.erp.documents import CANCELLED
from storefront.erp.exchange import Exchange
from storefront.erp.link import Lease
from storefront.erp.marks import Answer

READY_MOST = 20  # batches made before the first of them is answered: an ERP that is down should not cost a table
TOGETHER = 20  # batches that are handed over, and marked, at once, where that can be
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
        self._submit_several: Several | None = getattr(exchange.adapter, "submit_several", None)
        self._until = 0.0
        self._tried: set[str] = set()
        self._made: dict[str, str] = {}  # contents of batches that we made: what was just written need not be read
        self._begun: list[Standing] = []  # noted as sent, and not sent yet

    def run(self, until: float) -> None:
        self._until = until
        if not self._works():
            return
        self.hear()
        while self._begun or time.monotonic() < until:
            due = self._begun or self._next()
            if not due or not self._send(due):
                break

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
            self._refused([batch], ack.refused)
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
        """Send the first batch, and some that follow it where that can be, or find out what has become of it.

        Returns whether to go on with the next.
        """
        some: Sequence[Standing] = due[:1]
        try:
            if not self._begun:
                self._tried.add(due[0].id)
                if self._adapter.capabilities.can_look_up and due[0].state == "unknown" and self._is_there(due[0]):
                    return True
                self._begin(due)
            some, self._begun = self._begun, []
            self._tried |= {one.id for one in some}
            sent = [self._opened(one) for one in some]
            answers = self._hand_over(sent)
        except BatchRejected as refusal:
            self._refused(some, str(refusal))
        except ErpError as error:
            self._put_off(some, error, isinstance(error, ErpAmbiguous))
            return not self._adapter.capabilities.in_order and self._works()
        except Exception as error:  # a bug of an adapter's: nobody knows what was sent; RQ shows it
            self._put_off(some, error, perhaps_there=True)
            raise
        else:
            self._done.batches += len(some)
            self._mark_answers(
                [
                    Answer(batch, one.state != "frozen", results)
                    for one, batch, results in zip(some, sent, answers, strict=True)
                ]
            )
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
        """Note that a batch is about to be sent, or several that go together because none was sent before."""
        new = list(takewhile(lambda one: one.state == "frozen", due[:TOGETHER]))
        self._begun = new if new and self._submit_several else [due[0]]
        batches.note_sending(session, self._begun, now_ms)

    def _mark_answers(self, answers: Sequence[Answer]) -> None:
        """Mark what batches were answered; with it the next begin where nothing stands against it: one commit less."""
        with transaction(self._room.engine) as session:
            now_ms = self._room.now_ms()
            link.check_answered(session, self._lease, now_ms)
            outcomes = marks.mark_sent(session, answers, now_ms)
            if time.monotonic() < self._until:
                due, _ = self._due(session, now_ms)
                if due and due[0].state == "frozen":
                    self._note_sending(session, due, now_ms)
        self._done.outcomes += outcomes

    def _opened(self, batch: Standing) -> Batch:
        content = self._made.pop(batch.id, None)
        if content is None:
            with Session(self._room.engine) as session:
                content = batches.content_of(session, batch)
        return batches.opened(batch, content)

    def _hand_over(self, some: Sequence[Batch]) -> Sequence[Sequence[Result]]:
        if self._submit_several and len(some) > 1:
            return self._submit_several(some)
        (batch,) = some
        return [self._adapter.cancel(batch) if batch.kind == CANCELLED else self._adapter.submit(batch)]

    def _mark(self, batch: Standing, results: Sequence[Result]) -> bool:
        """Mark the rows of a batch; return whether each of them has an answer now."""
        with transaction(self._room.engine) as session:
            now_ms = self._room.now_ms()
            link.check_answered(session, self._lease, now_ms)
            marked = marks.mark(session, batch.id, results, now_ms)
        self._done.outcomes += marked.outcomes
        return marked.state != "unknown"

    def _refused(self, some: Sequence[Standing], words: str) -> None:
        """The ERP takes none of a batch, because of something in it: halve it, and in the end we know of what.

        Of several that went together nobody knows which it was; sent by itself each will show it.
        """
        with transaction(self._room.engine) as session:
            now_ms = self._room.now_ms()
            link.check_answered(session, self._lease, now_ms)
            if len(some) > 1:
                marks.put_off(session, some[0].id, words, "unknown", now_ms)
            else:
                self._done.outcomes += marks.refuse(session, some[0].id, words, now_ms)

    def _put_off(self, some: Sequence[Standing], error: Exception, perhaps_there: bool) -> None:
        """Send the same again later. Those that went with the first may be there too: each is sent by itself then."""
        first = some[0]
        state = "unknown" if perhaps_there or len(some) > 1 else first.state
        with transaction(self._room.engine) as session:
            now_ms = self._room.now_ms()
            there = link.check(session, self._lease, now_ms)
            alone = first.tries + 1 >= SPLIT_TRIES and there.failures == 0 and not isinstance(error, ErpThrottled)
            if alone and first.documents > 1 and not self._adapter.capabilities.in_order:
                marks.refuse(session, first.id, str(error), now_ms)
            else:
                marks.put_off(session, first.id, f"{type(error).__name__}: {error}", state, now_ms)
        self._fail(error)
