"""Delivery: what becomes of rows and batches by what an ERP says, or does not say."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from storefront.core.db import transaction
from storefront.erp import buffer, delivery, link
from storefront.erp.adapter import (
    Batch,
    BatchRejected,
    ErpAmbiguous,
    ErpAuthFailed,
    ErpError,
    ErpThrottled,
    ErpUnavailable,
    Result,
)
from storefront.erp.documents import content_of, hash_of, key_of, read_document
from storefront.erp.exchange import Exchange
from storefront.erp.models import BufferRow, ErpBatch, ErpDocument, ErpLink
from storefront.stock.stockroom import Stockroom
from tests.erp.history.house import TrueHouse

# On PostgreSQL the contract of the adapters is kept, by senders that are killed.
pytestmark = pytest.mark.only_on("sqlite")

Order = Callable[..., list[int]]


def rows(room: Stockroom) -> list[BufferRow]:
    with Session(room.engine) as session:
        return list(session.scalars(select(BufferRow).order_by(BufferRow.id)))


def all_batches(room: Stockroom) -> list[ErpBatch]:
    with Session(room.engine) as session:
        return list(session.scalars(select(ErpBatch).order_by(ErpBatch.sequence)))


def states(room: Stockroom) -> list[str]:
    return [row.state for row in rows(room)]


def let_be_due(room: Stockroom) -> None:
    """All pauses are over."""
    with transaction(room.engine) as session:
        session.execute(update(ErpBatch).values(due_at_ms=0))
        session.execute(update(BufferRow).values(due_at_ms=0))
        session.execute(update(ErpLink).values(open_until_ms=0))


class Saying:
    """An ERP that answers the next batches as told, and then as it would: an error is raised, a function is called."""

    def __init__(self, erp: TrueHouse, *answers: ErpError | Callable[[Batch], Sequence[Result]], **can: Any):
        self._erp, self._answers, self.seen = erp, list(answers), list[Batch]()
        self.capabilities = replace(erp.capabilities, **can)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._erp, name)

    def submit(self, batch: Batch) -> Sequence[Result]:
        self.seen.append(batch)
        answer = self._answers.pop(0) if self._answers else self._erp.submit
        if isinstance(answer, ErpError):
            raise answer
        return answer(batch)


def outcome(word: Any, words: str = "") -> Callable[[Batch], Sequence[Result]]:
    return lambda batch: [Result(one.key, word, words, "SO1") for one in batch.documents]


# -- batches ---------------------------------------------------------------------------------------------------


def test_rows_wait_until_there_are_enough_for_a_batch(exchange: Exchange, order: Order) -> None:
    order(3)
    patient = replace(exchange, batch_size=3, batch_seconds=3600)

    assert delivery.deliver(patient).batches == 1
    order(2)
    assert delivery.deliver(patient).batches == 0
    assert states(exchange.room) == ["applied"] * 3 + ["waiting"] * 2


def test_rows_wait_no_longer_than_a_batch_may_be_old(exchange: Exchange, order: Order) -> None:
    order(2)
    with transaction(exchange.room.engine) as session:
        session.execute(update(BufferRow).values(created_at_ms=BufferRow.created_at_ms - 5_000))

    done = delivery.deliver(replace(exchange, batch_size=50, batch_seconds=5))

    assert done.outcomes == {"applied": 2}


def test_a_batch_is_stored_with_its_hash_before_it_is_sent(exchange: Exchange, order: Order, erp: TrueHouse) -> None:
    order(2)
    before: list[ErpBatch] = []

    def look(batch: Batch) -> Sequence[Result]:
        before.extend(all_batches(exchange.room))
        return erp.submit(batch)

    delivery.deliver(replace(exchange, adapter=Saying(erp, look)))

    (stored,) = before
    assert stored.state == "unknown"
    with Session(exchange.room.engine) as session:
        texts = [session.get_one(ErpDocument, (row_id, revision)).text for row_id, revision in stored.members]
    assert stored.content_hash == hash_of(content_of(texts))
    assert [read_document(text).order_id for text in texts] == [row.order_id for row in rows(exchange.room)]


def test_a_retry_sends_the_very_same_batch_though_more_orders_have_come(
    exchange: Exchange, order: Order, erp: TrueHouse
) -> None:
    order(2)
    saying = Saying(erp, ErpUnavailable("away"))
    troubled = replace(exchange, adapter=saying)
    delivery.deliver(troubled)
    order(1)
    let_be_due(exchange.room)

    delivery.deliver(troubled)

    first, again, other = saying.seen
    assert first == again
    assert len(other.documents) == 1
    assert states(exchange.room) == ["applied"] * 3


def test_a_retry_sends_the_very_same_batch_though_an_order_in_it_was_refused_and_edited(
    exchange: Exchange, order: Order, erp: TrueHouse
) -> None:
    order(2)

    def refuse_the_first(batch: Batch) -> Sequence[Result]:
        return [Result(batch.documents[0].key, "rejected", "no such city")]

    saying = Saying(erp, refuse_the_first, can_look_up=False)
    troubled = replace(exchange, adapter=saying)
    delivery.deliver(troubled)
    buffer.edit_and_retry(exchange.room, rows(exchange.room)[0].id, {"city": "Neu-Ulm"}, "grace")
    let_be_due(exchange.room)

    delivery.deliver(troubled)

    first, again, edited = saying.seen
    assert first == again
    assert [(one.city, one.key) for one in edited.documents] == [("Neu-Ulm", first.documents[0].key)]


def test_a_batch_whose_documents_were_changed_by_hand_is_not_sent(
    exchange: Exchange, order: Order, erp: TrueHouse
) -> None:
    order(2)
    saying = Saying(erp, ErpUnavailable("away"))
    delivery.deliver(replace(exchange, adapter=saying))
    with transaction(exchange.room.engine) as session:
        session.execute(update(ErpDocument).values(text=func.replace(ErpDocument.text, "placed", "erased")))
    let_be_due(exchange.room)

    done = delivery.deliver(replace(exchange, adapter=saying))

    assert "batch 1 is not what it was when it was made" in done.error
    assert len(saying.seen) == 1
    assert states(exchange.room) == ["batched"] * 2


class Several(Saying):
    """The same for one that takes several batches at once, in order."""

    def __init__(self, erp: TrueHouse, *answers: ErpError | Callable[[Batch], Sequence[Result]]):
        super().__init__(erp, *answers, in_order=True, can_look_up=False)
        self.at_once: list[int] = []

    def submit_several(self, some: Sequence[Batch]) -> Sequence[Sequence[Result]]:
        self.at_once.append(len(some))
        return [self.submit(batch) for batch in some]


def test_batches_that_were_not_sent_before_go_together(exchange: Exchange, order: Order, erp: TrueHouse) -> None:
    order(7)
    several = Several(erp)

    done = delivery.deliver(replace(exchange, adapter=several, batch_size=2))

    assert several.at_once == [4]
    assert (done.batches, done.outcomes) == (4, {"applied": 7})
    assert [batch.state for batch in all_batches(exchange.room)] == ["done"] * 4


@pytest.mark.parametrize("error", [ErpUnavailable("away"), ErpAmbiguous("late"), BatchRejected("no such article")])
def test_after_an_error_each_batch_that_went_with_others_goes_by_itself(
    exchange: Exchange, order: Order, erp: TrueHouse, error: ErpError
) -> None:
    order(4)

    def fail(batch: Batch) -> Sequence[Result]:
        raise error

    several = Several(erp, erp.submit, fail, erp.submit, erp.submit, erp.submit)
    exchange = replace(exchange, adapter=several, batch_size=1)
    delivery.deliver(exchange)
    first = [batch.state for batch in all_batches(exchange.room)]
    failures = link.look(exchange.room, exchange.name).failures
    let_be_due(exchange.room)
    delivery.deliver(exchange)

    assert failures == (0 if isinstance(error, BatchRejected) else 1)  # a refusal is an answer
    assert first == ["unknown"] * 4  # the first may have arrived, and perhaps those after it
    assert several.at_once == [4]
    assert [batch.sequence for batch in several.seen] == [1, 2, 1, 2, 3, 4]
    assert states(exchange.room) == ["applied"] * 4


# -- outcomes --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("word, state", [("accepted", "accepted"), ("applied", "applied")])
def test_one_word_for_a_whole_batch_is_marked_on_its_rows_and_no_others(
    exchange: Exchange, order: Order, erp: TrueHouse, word: str, state: str
) -> None:
    order(5)

    def say(batch: Batch) -> Sequence[Result]:
        return [Result(one.key, word, f"file {batch.sequence}") for one in batch.documents]  # type: ignore[arg-type]

    saying = Saying(erp, say, ErpUnavailable("away"), can_look_up=False)
    done = delivery.deliver(replace(exchange, adapter=saying, batch_size=3))

    assert done.outcomes == {word: 3}
    assert [(row.state, row.outcome, row.words) for row in rows(exchange.room)] == [
        *[(state, word, "file 1")] * 3,
        *[("batched", None, "")] * 2,
    ]
    assert [batch.state for batch in all_batches(exchange.room)] == [
        "accepted" if word == "accepted" else "done",
        "frozen",
    ]


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("applied", "applied"),
        ("duplicate", "applied"),
        ("accepted", "accepted"),
        ("retry_later", "waiting"),
        ("rejected", "dead"),
        ("unknown", "batched"),
    ],
)
def test_each_outcome_is_marked_with_the_erps_own_words(
    exchange: Exchange, order: Order, erp: TrueHouse, word: str, state: str
) -> None:
    order()

    delivery.deliver(replace(exchange, adapter=Saying(erp, outcome(word, "as I say"))))

    (row,) = rows(exchange.room)
    assert (row.state, row.outcome, row.words) == (state, word, "as I say")


def test_what_is_accepted_is_asked_for_until_it_is_booked(exchange: Exchange, order: Order, erp: TrueHouse) -> None:
    order()
    erp.at_once = False
    delivery.deliver(exchange)
    assert states(exchange.room) == ["accepted"]

    erp.work()
    let_be_due(exchange.room)
    delivery.deliver(exchange)

    assert states(exchange.room) == ["applied"]


def test_what_is_put_off_goes_into_another_batch(exchange: Exchange, order: Order, erp: TrueHouse) -> None:
    order(2)
    later = Saying(erp, lambda batch: [*outcome("retry_later")(batch)[:1], *erp.submit(batch)[1:]])
    delivery.deliver(replace(exchange, adapter=later))
    assert states(exchange.room) == ["waiting", "applied"]
    assert delivery.deliver(exchange).batches == 0  # its pause is not over

    let_be_due(exchange.room)
    delivery.deliver(exchange)

    assert states(exchange.room) == ["applied", "applied"]


def test_a_lost_answer_is_asked_for_before_anything_is_sent_again(
    exchange: Exchange, order: Order, erp: TrueHouse
) -> None:
    order()

    def lose(batch: Batch) -> Sequence[Result]:
        erp.submit(batch)
        raise ErpAmbiguous("time ran out")

    saying = Saying(erp, lose)
    troubled = replace(exchange, adapter=saying)
    delivery.deliver(troubled)
    assert [row.outcome for row in rows(exchange.room)] == ["unknown"]
    let_be_due(exchange.room)

    delivery.deliver(troubled)

    assert len(saying.seen) == 1
    assert states(exchange.room) == ["applied"]


def test_an_answer_that_leaves_some_out_makes_them_unknown(exchange: Exchange, order: Order, erp: TrueHouse) -> None:
    order(3)

    delivery.deliver(replace(exchange, adapter=Saying(erp, lambda batch: erp.submit(batch)[:1])))

    assert [row.outcome for row in rows(exchange.room)] == ["applied", "unknown", "unknown"]
    assert all_batches(exchange.room)[0].state == "unknown"


def test_a_batch_that_is_refused_whole_is_halved_until_the_bad_order_is_found(
    exchange: Exchange, order: Order, erp: TrueHouse
) -> None:
    ids = order(9)
    bad = key_of(ids[4], "placed")

    def refuse(batch: Batch) -> Sequence[Result]:
        if bad in [one.key for one in batch.documents]:
            raise BatchRejected("something is wrong in here")
        return erp.submit(batch)

    picky = replace(exchange, adapter=Saying(erp, *[refuse] * 30, max_batch=50))
    delivery.deliver(picky)

    (dead,) = buffer.dead_letters(exchange.room)
    assert (dead.order_id, dead.words) == (ids[4], "something is wrong in here")
    assert sorted(erp.orders) == sorted({*ids} - {ids[4]})
    assert link.look(exchange.room, "house").failures == 0
    assert [one.sequence for one in all_batches(exchange.room)] == list(range(1, len(all_batches(exchange.room)) + 1))


def test_a_bug_of_an_adapter_is_seen_and_nothing_is_lost(exchange: Exchange, order: Order, erp: TrueHouse) -> None:
    order()

    def stumble(batch: Batch) -> Sequence[Result]:
        raise KeyError("a bug")

    with pytest.raises(KeyError):
        delivery.deliver(replace(exchange, adapter=Saying(erp, stumble)))

    assert all_batches(exchange.room)[0].state == "unknown"
    let_be_due(exchange.room)
    delivery.deliver(exchange)
    assert states(exchange.room) == ["applied"]


# -- sequence --------------------------------------------------------------------------------------------------


def test_a_cancellation_waits_until_its_order_is_booked(
    exchange: Exchange, order: Order, erp: TrueHouse, app: Any, client: Any
) -> None:
    (id,) = order()
    erp.at_once = False
    delivery.deliver(exchange)
    cancel(client, exchange.room)
    assert delivery.deliver(exchange, now=False).batches == 0

    erp.work()
    let_be_due(exchange.room)
    delivery.deliver(exchange)
    erp.work()
    let_be_due(exchange.room)
    delivery.deliver(exchange)

    assert states(exchange.room) == ["applied", "applied"]
    assert id not in erp.orders


def cancel(client: Any, room: Stockroom) -> None:
    with room.engine.connect() as connection:
        token = connection.exec_driver_sql("SELECT token FROM orders").scalar()
    assert client.post(f"/api/v1/orders/{token}/cancel").status_code == 200


def test_an_order_that_was_refused_and_then_cancelled_is_withdrawn_with_its_cancellation(
    exchange: Exchange, order: Order, erp: TrueHouse, client: Any
) -> None:
    order()
    delivery.deliver(replace(exchange, adapter=Saying(erp, outcome("rejected", "no such article"))))

    cancel(client, exchange.room)

    assert states(exchange.room) == ["withdrawn", "withdrawn"]


# -- the breaker -----------------------------------------------------------------------------------------------


def fail(exchange: Exchange, erp: TrueHouse, error: ErpError, times: int) -> Saying:
    """Let so many rounds fail, each as soon as it may."""
    saying = Saying(erp, *[error] * times)
    for _ in range(times):
        delivery.deliver(replace(exchange, adapter=saying))
        with transaction(exchange.room.engine) as session:
            session.execute(update(ErpBatch).values(due_at_ms=0))
    return saying


def breaker(exchange: Exchange) -> str:
    return link.breaker_of(link.look(exchange.room, "house"), exchange.room.now_ms())


def test_after_five_failures_nothing_is_sent_for_a_while(exchange: Exchange, order: Order, erp: TrueHouse) -> None:
    order()

    saying = fail(exchange, erp, ErpUnavailable("away"), 7)

    assert breaker(exchange) == "open"
    assert len(saying.seen) == link.TRIPS_AT
    assert "away" in link.look(exchange.room, "house").error


def test_half_open_it_is_asked_how_it_is_before_anything_is_sent(
    exchange: Exchange, order: Order, erp: TrueHouse
) -> None:
    order()
    fail(exchange, erp, ErpUnavailable("away"), 5)
    let_be_due(exchange.room)
    assert breaker(exchange) == "half-open"

    erp.trouble = "away"
    assert delivery.deliver(exchange).batches == 0
    assert breaker(exchange) == "open"

    let_be_due(exchange.room)
    assert delivery.deliver(exchange).batches == 1
    assert breaker(exchange) == "closed"


def test_refusals_never_open_the_breaker(exchange: Exchange, order: Order, erp: TrueHouse) -> None:
    order(8)
    refusing = Saying(erp, *[outcome("rejected", "no")] * 8)

    delivery.deliver(replace(exchange, adapter=refusing, batch_size=1))

    assert breaker(exchange) == "closed"
    assert states(exchange.room) == ["dead"] * 8


def test_an_erp_that_asks_for_a_pause_gets_it(exchange: Exchange, order: Order, erp: TrueHouse) -> None:
    order()

    saying = fail(exchange, erp, ErpThrottled("slowly", 60), 3)

    assert len(saying.seen) == 1
    assert link.look(exchange.room, "house").failures == 0
    pause_ms = link.look(exchange.room, "house").open_until_ms - exchange.room.now_ms()
    assert 55_000 < pause_ms <= 60_000


def test_one_that_does_not_let_us_in_is_left_alone_at_once(exchange: Exchange, order: Order, erp: TrueHouse) -> None:
    order()

    saying = fail(exchange, erp, ErpAuthFailed("who are you?"), 3)

    assert len(saying.seen) == 1
    assert breaker(exchange) == "open"


@pytest.mark.parametrize("tries", range(12))
def test_pauses_grow_to_five_minutes_and_are_never_below_a_second(tries: int) -> None:
    pauses = [link.pause_ms(tries) for _ in range(200)]

    assert min(pauses) >= 1_000
    assert max(pauses) <= min(300_000, 1_000 * 2**tries)
    if tries >= 4:
        assert max(pauses) > 2 * min(pauses)  # full jitter


# -- one at a time ---------------------------------------------------------------------------------------------


def test_only_one_sender_holds_the_link(exchange: Exchange, order: Order) -> None:
    order()

    with link.leased(exchange.room, "house", 60_000):
        assert delivery.deliver(exchange).busy

    assert delivery.deliver(exchange).batches == 1


def test_a_sender_that_slept_past_his_lease_marks_nothing(exchange: Exchange, order: Order, erp: TrueHouse) -> None:
    order()
    short = replace(exchange, lease_ms=1)

    def sleep(batch: Batch) -> Sequence[Result]:
        assert delivery.deliver(replace(exchange, adapter=erp), now=True).outcomes == {"applied": 1}
        return [Result(one.key, "rejected", "said by one who is late") for one in batch.documents]

    done = delivery.deliver(replace(short, adapter=Saying(erp, sleep)))

    assert done.busy
    assert states(exchange.room) == ["applied"]


# -- dead letters ----------------------------------------------------------------------------------------------


def test_a_dead_letter_can_be_edited_and_sent_again_and_the_order_stays_as_it_is(
    exchange: Exchange, order: Order, erp: TrueHouse
) -> None:
    order()
    delivery.deliver(replace(exchange, adapter=Saying(erp, outcome("rejected", "no such postal code"))))
    (dead,) = buffer.dead_letters(exchange.room)

    buffer.edit_and_retry(exchange.room, dead.id, {"postal_code": "89075"}, "ops")
    delivery.deliver(exchange)

    (row,) = rows(exchange.room)
    assert (row.state, row.edited_by) == ("applied", "ops")
    assert [one.postal_code for one in erp.orders.values()] == ["89075"]
    with exchange.room.engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT postal_code FROM orders").scalar() == "89073"


def test_only_dead_letters_are_sent_again(exchange: Exchange, order: Order) -> None:
    order()
    delivery.deliver(exchange)
    (row,) = rows(exchange.room)

    with pytest.raises(buffer.NotDead):
        buffer.retry(exchange.room, [row.id])
    with pytest.raises(buffer.UnknownRow):
        buffer.retry(exchange.room, [row.id + 1])
    with pytest.raises(buffer.NotEditable):
        buffer.edit_and_retry(exchange.room, row.id, {"total": "0"}, "ops")


def test_the_backlog_says_how_long_the_oldest_has_waited(exchange: Exchange, order: Order) -> None:
    order(2)
    with transaction(exchange.room.engine) as session:
        session.execute(update(BufferRow).values(created_at_ms=BufferRow.created_at_ms - 90_000))

    backlog = buffer.backlog(exchange.room)

    assert (backlog.waiting, backlog.applied) == (2, 0)
    assert 90_000 <= backlog.oldest_unsent_ms < 100_000
    delivery.deliver(exchange)
    assert buffer.backlog(exchange.room).oldest_unsent_ms == 0


def test_an_erp_that_is_away_costs_no_more_than_twenty_batches(
    exchange: Exchange, order: Order, erp: TrueHouse
) -> None:
    order(25)
    away = replace(exchange, adapter=Saying(erp, *[ErpUnavailable("away")] * 100), batch_size=1)

    delivery.deliver(away)

    assert len(all_batches(exchange.room)) == delivery.READY_MOST


def test_where_there_is_nothing_to_send_nothing_is_written(exchange: Exchange) -> None:
    delivery.deliver(exchange)

    with Session(exchange.room.engine) as session:
        assert session.scalars(select(ErpLink)).all() == []
