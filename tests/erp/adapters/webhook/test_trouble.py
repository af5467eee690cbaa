"""A server that fails in every way: what it means for the orders that were sent, and for what was asked."""

import time
from collections.abc import Callable
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from storefront.erp.adapter import (
    Adapter,
    AppliedSet,
    BatchRejected,
    ErpAlarm,
    ErpAmbiguous,
    ErpAuthFailed,
    ErpError,
    ErpThrottled,
    ErpUnavailable,
    Result,
)
from tests.erp.adapters.webhook.house import House, adapter_of
from tests.erp.adapters.webhook.orders import batch, cancellation, order, wanted
from tests.erp.adapters.webhook.receiver import Receiver
from tests.running import free_port

LOST: dict[str, dict[str, Any]] = {
    "500": {"instead": 500},
    "502": {"instead": 502, "body": b"<html>Bad Gateway</html>"},
    "503": {"instead": 503},
    "409": {"instead": 409},
    "cut off": {"cut": 9},
    "no JSON": {"garble": lambda body: b"OK\xff"},
    "NaN": {"garble": lambda body: b'{"results": [], "load": NaN}'},
    "no object": {"garble": lambda body: b"[]"},
    "a name twice": {"garble": lambda body: b'{"results": [], "results": []}'},
    "no results": {"edit": lambda answer: {"result": []}},
    "results are no list": {"edit": lambda answer: {"results": {}}},
    "nested without end": {"garble": lambda body: b"[" * 100_000},
    "nothing": {"garble": lambda body: b""},
}


def results(change: Callable[[list[Any]], Any]) -> Callable[[Any], Any]:
    """A trouble that changes the list of results."""
    return lambda answer: {"results": change(answer["results"])}


@pytest.mark.parametrize("trouble", LOST.values(), ids=LOST)
def test_orders_that_perhaps_arrived_are_ambiguous(
    adapter: Adapter, receiver: Receiver, trouble: dict[str, Any]
) -> None:
    receiver.will(**trouble)

    with pytest.raises(ErpAmbiguous):
        adapter.submit(batch(1))


@pytest.mark.parametrize("trouble", LOST.values(), ids=LOST)
def test_a_question_without_an_answer_may_be_asked_again(
    adapter: Adapter, receiver: Receiver, trouble: dict[str, Any]
) -> None:
    receiver.will(**trouble)

    with pytest.raises(ErpUnavailable):
        adapter.lookup(["order-1-1"])


@pytest.mark.parametrize("when, booked", [("before", 0), ("after", 1)])
def test_an_answer_that_never_comes_says_nothing_about_the_order(house: House, when: str, booked: int) -> None:
    house.receiver.will(silent=when)

    with pytest.raises(ErpAmbiguous):
        house.adapter.submit(batch(1))

    assert len(house.booked()) == len(house.adapter.lookup(["order-1-1"])) == booked
    house.adapter.submit(batch(1))
    assert len(house.booked()) == 1


def test_a_cancellation_is_ambiguous_in_the_same_way(house: House) -> None:
    house.adapter.submit(batch(1))
    house.receiver.will(instead=500)

    with pytest.raises(ErpAmbiguous):
        house.adapter.cancel(batch(2, cancellation(1)))


def test_an_answer_that_drips_is_cut_at_the_deadline(adapter: Adapter, receiver: Receiver) -> None:
    """Each byte comes in time; all of them would take half a minute."""
    receiver.will(drip=0.3)

    with pytest.raises(ErpAmbiguous, match="takes too long"):
        adapter.submit(batch(1))


def test_a_server_that_is_not_there_has_got_nothing(house: House, tmp_path: Path) -> None:
    environ = {**house.environ, "ERP_WEBHOOK_URL": f"http://127.0.0.1:{free_port()}"}

    with pytest.raises(ErpUnavailable, match="refused"):
        adapter_of(environ, tmp_path).submit(batch(1))


def test_a_name_that_leads_nowhere_has_got_nothing(house: House, tmp_path: Path) -> None:
    environ = {**house.environ, "ERP_WEBHOOK_URL": "https://erp.invalid/orders"}

    with pytest.raises(ErpUnavailable, match=r"erp\.invalid"):
        adapter_of(environ, tmp_path).submit(batch(1))


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("asked, pause", [
    ("7", 7), ("0", 0), ("86400", 300), ("9" * 400, 300), ("Sat, 21 Nov 2026 10:00:30 GMT", 30),
    ("Fri, 20 Nov 2026 10:00:00 GMT", 0), ("Sat, 21 Nov 2026 10:00:30", 30), ("soon", 10), ("-5", 10),
])  # fmt: skip
def test_it_waits_as_long_as_it_is_asked_to(
    adapter: Adapter, receiver: Receiver, status: int, asked: str, pause: float
) -> None:
    receiver.will(instead=status, headers={"Retry-After": asked, "Date": "Sat, 21 Nov 2026 10:00:00 GMT"})

    with pytest.raises(ErpThrottled) as caught:
        adapter.submit(batch(1))

    assert caught.value.after_seconds == pause


def test_too_many_requests_without_a_time_is_a_pause_too(adapter: Adapter, receiver: Receiver) -> None:
    receiver.will(instead=429)

    with pytest.raises(ErpThrottled) as caught:
        adapter.lookup(["order-1-1"])

    assert caught.value.after_seconds == 10


@pytest.mark.parametrize("status", [401, 403])
def test_who_is_not_let_in_needs_a_person(adapter: Adapter, receiver: Receiver, status: int) -> None:
    receiver.will(instead=status)

    with pytest.raises(ErpAuthFailed, match=str(status)):
        adapter.submit(batch(1))


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_batch_that_is_refused_whole_is_refused_in_the_words_of_the_erp(
    adapter: Adapter, receiver: Receiver, status: int
) -> None:
    receiver.will(instead=status, body={"title": "Unfit", "detail": "Order 2 has\x00 no city\r\nX: y"})

    with pytest.raises(BatchRejected, match=rf"{status} [\w ]+: Order 2 has  no city  X: y"):
        adapter.submit(batch(1))


@pytest.mark.parametrize("body, words", [
    ({"title": "Unfit"}, ": Unfit"), (b"<html>", ""), ([1], ""), ({"detail": 5, "title": " "}, ""),
    ({"detail": "x" * 9000}, ": " + "x" * 500),
])  # fmt: skip
def test_a_refusal_without_words_has_those_of_its_status(
    adapter: Adapter, receiver: Receiver, body: Any, words: str
) -> None:
    receiver.will(instead=400, body=body)

    with pytest.raises(BatchRejected) as caught:
        adapter.submit(batch(1))

    assert str(caught.value) == "400 Bad Request" + words


def test_a_question_is_never_a_refused_batch(adapter: Adapter, receiver: Receiver) -> None:
    receiver.will(instead=422)

    with pytest.raises(ErpUnavailable):
        adapter.lookup(["order-1-1"])


@pytest.mark.parametrize("status", [301, 302, 303, 404, 405, 410])
def test_an_address_that_is_wrong_has_got_nothing(adapter: Adapter, receiver: Receiver, status: int) -> None:
    receiver.will(instead=status, headers={"Location": receiver.url})

    with pytest.raises(ErpUnavailable, match=str(status)):
        adapter.submit(batch(1))

    assert len(receiver.seen) == 1


def test_one_bad_order_in_a_batch_that_is_refused_whole(house: House) -> None:
    house.receiver.refuses = lambda document: document["order_id"] == 2

    with pytest.raises(BatchRejected, match="order-2-1 is not to our taste"):
        house.adapter.submit(batch(1, order(1), order(2)))

    assert house.booked() == []


def test_a_batch_with_another_content_under_its_id_is_refused(adapter: Adapter) -> None:
    adapter.submit(batch(1))

    with pytest.raises(BatchRejected, match="another content"):
        adapter.submit(batch(1, order(1), order(2)))


def test_results_may_come_in_any_order_and_twice(adapter: Adapter, receiver: Receiver) -> None:
    receiver.will(edit=results(lambda some: [*reversed(some), some[0]]))

    found = adapter.submit(batch(1, order(1), order(2)))

    assert sorted((one.key, one.outcome) for one in found) == [("order-1-1", "applied"), ("order-2-1", "applied")]


def test_a_document_without_a_result_has_none(adapter: Adapter, receiver: Receiver) -> None:
    receiver.will(edit=results(lambda some: some[1:]))

    found = adapter.submit(batch(1, order(1), order(2)))

    assert [one.key for one in found] == ["order-2-1"]


@pytest.mark.parametrize("wrong, words", [
    ({"outcome": "booked"}, '/results/0/outcome: "booked" is none of applied, accepted,'),
    ({"outcome": None}, "/results/0/outcome: null is no text"),
    ({"outcome": ["applied"]}, '/results/0/outcome: ["applied"] is no text'),
    ({"message": 5}, "/results/0/message: 5 is no text"),
    ({"erp_id": {"id": 5}}, '/results/0/erp_id: {"id": 5} is no text'),
])  # fmt: skip
def test_a_result_that_cannot_be_read_is_unknown_and_names_the_field(
    adapter: Adapter, receiver: Receiver, caplog: pytest.LogCaptureFixture, wrong: dict[str, Any], words: str
) -> None:
    receiver.will(edit=results(lambda some: [{**some[0], **wrong}, *some[1:]]))

    first, second = adapter.submit(batch(1, order(1), order(2)))

    assert (first.key, first.outcome) == ("order-1-1", "unknown")
    assert first.words.startswith(words)
    assert words in caplog.text
    assert (second.key, second.outcome) == ("order-2-1", "applied")


@pytest.mark.parametrize("wrong, words", [
    ({"key": "order-77-1", "outcome": "applied"}, '/results/0/key: "order-77-1" is no key that was asked about'),
    ({"outcome": "applied"}, "/results/0/key: is missing"),
    ({"key": 1}, "/results/0/key: 1 is no text"),
    ("order-1-1", '/results/0: "order-1-1" is no object'),
])  # fmt: skip
def test_a_result_about_nobody_is_left_aside_and_told(
    adapter: Adapter, receiver: Receiver, caplog: pytest.LogCaptureFixture, wrong: Any, words: str
) -> None:
    receiver.will(edit=results(lambda some: [wrong, *some]))

    found = adapter.submit(batch(1))

    assert [(one.key, one.outcome) for one in found] == [("order-1-1", "applied")]
    assert words in caplog.text


def test_two_results_that_contradict_each_other_say_nothing(adapter: Adapter, receiver: Receiver) -> None:
    receiver.will(edit=results(lambda some: [*some, {**some[0], "outcome": "rejected"}]))

    found = adapter.submit(batch(1))

    assert found == [Result("order-1-1", "unknown", "/results/1: contradicts a result before it")]


@pytest.mark.parametrize("wrong", [12.0, 1e99, "12", True, None, [12], 2**31])
def test_a_figure_that_is_no_whole_number_is_a_problem_and_the_others_count(
    adapter: Adapter, receiver: Receiver, wrong: Any
) -> None:
    receiver.will(edit=lambda answer: {**answer, "figures": {"MUG": wrong, "a/b~c": wrong, "CAP": -3}})

    found = adapter.snapshot(wanted())

    assert found and found.figures == {"CAP": -3}
    assert [(one.source, one.column) for one in found.problems] == [
        ("/stock", "/figures/MUG"), ("/stock", "/figures/a~1b~0c"),
    ]  # fmt: skip
    assert "is no whole number" in found.problems[0].words


def test_what_is_no_key_among_the_applied_is_a_problem(adapter: Adapter, receiver: Receiver) -> None:
    receiver.will(edit=lambda answer: {**answer, "applied": ["order-1-1", 2, "ORDER-1"]})

    found = adapter.snapshot(wanted("order-1-1"))

    assert found and found.watermark == AppliedSet(frozenset({"order-1-1"}))
    assert [(one.column, one.words) for one in found.problems] == [
        ("/applied/1", "2 is no text"), ("/applied/2", '"ORDER-1" is no key that was asked about'),
    ]  # fmt: skip


@pytest.mark.parametrize("changed, words", [
    ({"stock": "physical"}, '/stock: "physical" is not promisable'),
    ({"sequence": 1.0}, "/sequence: 1.0 is no whole number"),
    ({"sequence": True}, "/sequence: true is no whole number"),
    ({"as_of": "yesterday"}, '/as_of: "yesterday" is no time'),
    ({"as_of": "2026-11-23T10:00:00"}, "is a time without a zone"),
    ({"figures": []}, "/figures: .. is no object"),
    ({"applied": "order-1-1"}, '/applied: "order-1-1" is no list'),
])  # fmt: skip
def test_a_snapshot_that_is_not_as_agreed_says_nothing(
    adapter: Adapter, receiver: Receiver, changed: dict[str, Any], words: str
) -> None:
    receiver.will(edit=lambda answer: {**answer, **changed})

    with pytest.raises(ErpUnavailable, match=words):
        adapter.snapshot(wanted())


def test_an_erp_that_has_gone_back_in_time_is_an_alarm(adapter: Adapter) -> None:
    with pytest.raises(ErpAlarm, match="/sequence is 1, and 8 was taken in before"):
        adapter.snapshot(wanted(last_sequence=8, last_hash="another"))


def test_an_erp_that_cannot_say_what_has_changed_need_not(adapter: Adapter, receiver: Receiver) -> None:
    receiver.will(instead=404)

    assert adapter.changed_skus(0) is None


def test_a_line_on_the_books_that_cannot_be_read_does_not_hide_the_others(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    house.adapter.submit(batch(1, order(1), order(2), order(3)))
    house.receiver.will(edit=lambda answer: {"lines": [{**answer["lines"][0], "quantity": 1.5}, *answer["lines"][1:]]})

    lines = list(house.adapter.booked())

    assert [line.order_id for line in lines] == [2, 3]
    assert "/lines/0/quantity: 1.5 is no whole number" in caplog.text


@pytest.mark.parametrize("edit", [
    lambda answer: {"lines": [{**line, "unit_price": "NaN"} for line in answer["lines"]]},
    lambda answer: {"lines": [{**line, "order_id": 1} for line in answer["lines"]]},
])  # fmt: skip
def test_books_that_lead_nowhere_are_not_read_for_ever(house: House, edit: Callable[[Any], Any]) -> None:
    house.adapter.submit(batch(1, order(1), order(2), order(3)))
    for _ in range(3):
        house.receiver.will(edit=edit)

    with pytest.raises(ErpUnavailable):
        list(house.adapter.booked())


def test_every_trouble_has_a_name_of_the_interface(house: House) -> None:
    """Whatever bytes come back, an adapter raises nothing but ErpError."""
    body = b'{"results": [{"key": "order-1-1", "outcome": "applied", "message": "\\u0000\\ud800", "erp_id": ""}]}'
    for length in range(len(body)):
        house.receiver.will(garble=lambda _, length=length: body[:length])
        with pytest.raises(ErpError):
            house.adapter.submit(batch(1))
    house.receiver.will(garble=lambda _: body)

    assert house.adapter.submit(batch(1)) == [Result("order-1-1", "applied")]


def test_without_a_date_of_the_server_our_own_clock_counts(adapter: Adapter, receiver: Receiver) -> None:
    receiver.will(instead=429, headers={"Retry-After": formatdate(time.time() + 60, usegmt=True)})

    with pytest.raises(ErpThrottled) as caught:
        adapter.submit(batch(1))

    assert caught.value.after_seconds == pytest.approx(60, abs=5)
