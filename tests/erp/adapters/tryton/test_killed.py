"""Senders that are killed between two calls, and senders that all come at once: each order ends up booked once."""

import signal
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from storefront.erp.adapter import Batch, ErpAmbiguous, Result
from storefront.erp.documents import Document
from tests.erp.adapters.tryton.documents import batch_of, cancelled, order_of
from tests.erp.adapters.tryton.house import House
from tests.erp.adapters.tryton.proxy import Fault, Proxy, cut
from tests.erp.adapters.tryton.sender import sender_of

# Where a sender dies: Tryton works, and he does not hear of it. What he has not asked for yet is asked for by the next.
PLACES = ["party.create", "sale.create", "sale.quote", "sale.confirm", "sale.process"]
PLACES_BACK = ["sale.sale.write", "shipment.out.cancel", "sale.line.write", "sale.process"]


def kill_a_sender(house: House, orders: Sequence[Document], method: str) -> None:
    """Let another process hand orders over, and kill it before it hears what came of a call."""
    house.proxy.faults.append(Fault(method, after=lambda: sender.kill()))
    sender = sender_of(house.environ_of(ERP_TRYTON_URL=house.proxy.url), orders)
    sender.start()
    sender.join(60)
    assert sender.exitcode == -signal.SIGKILL, "it was not killed"


@pytest.mark.parametrize("method", PLACES)
def test_whoever_comes_after_a_killed_sender_finishes_his_work(house: House, sku: str, method: str) -> None:
    orders = [order_of({sku: 2}) for _ in range(2)]
    kill_a_sender(house, orders, method)

    results = house.adapter.submit(batch_of(*orders))

    assert {result.outcome for result in results} <= {"applied", "duplicate"}
    assert_booked_once(house, sku, orders)


@pytest.mark.parametrize("method", PLACES_BACK)
def test_whoever_comes_after_a_killed_sender_of_cancellations_finishes_his_work(
    house: House, sku: str, method: str
) -> None:
    orders = [order_of({sku: 2}) for _ in range(2)]
    house.adapter.submit(batch_of(*orders))
    kill_a_sender(house, [cancelled(order) for order in orders], method)

    results = house.adapter.cancel(batch_of(*(cancelled(order) for order in orders)))

    assert {result.outcome for result in results} <= {"applied", "duplicate"}
    assert house.stock()[sku] == 1000


def test_an_order_that_has_only_begun_to_arrive_is_unknown_so_that_it_is_sent_again(house: House, sku: str) -> None:
    draft, quotation = order_of({sku: 1}), order_of({sku: 1})
    house.leave_at(draft, "draft")
    house.leave_at(quotation, "quotation")

    assert house.adapter.lookup([draft.key, quotation.key]) == {}


def test_four_senders_of_the_same_batch_at_once_book_each_order_once(house: House, sku: str) -> None:
    orders = [order_of({sku: 1}) for _ in range(6)]

    results = at_once(house, [batch_of(*orders)] * 4)

    assert {result.outcome for result in results} <= {"applied", "duplicate"}
    assert_booked_once(house, sku, orders)
    emails = house.read("SELECT value FROM party_contact_mechanism")
    assert {Counter(emails)[(order.email,)] for order in orders} == {1}


def test_four_senders_of_different_batches_at_once_book_each_order_once(house: House, sku: str) -> None:
    orders = [order_of({sku: 1}) for _ in range(20)]

    results = at_once(house, [batch_of(*orders[start : start + 5]) for start in range(0, 20, 5)])

    assert [result.outcome for result in results] == ["applied"] * 20
    assert_booked_once(house, sku, orders)


@pytest.mark.parametrize("button", ["quote", "confirm", "process"])
def test_a_step_that_somebody_else_has_taken_in_between_is_no_refusal(
    house: House, sku: str, proxy: Proxy, button: str
) -> None:
    orders = [order_of({sku: 2}), order_of({sku: 3})]
    proxy.faults.append(Fault(f"sale.{button}", before=lambda: house.press(button, orders[0])))

    results = house.behind_proxy.submit(batch_of(*orders))

    assert [result.outcome for result in results] == ["applied", "applied"]
    assert_booked_once(house, sku, orders)


@pytest.mark.parametrize("method", ["sale.sale.write", "shipment.out.cancel", "sale.line.write"])
def test_a_cancellation_that_somebody_else_has_finished_in_between_is_no_refusal(
    house: House, sku: str, proxy: Proxy, method: str
) -> None:
    order = order_of({sku: 4})
    house.adapter.submit(batch_of(order))
    proxy.faults.append(Fault(method, before=lambda: house.adapter.cancel(batch_of(cancelled(order)))))

    (result,) = house.behind_proxy.cancel(batch_of(cancelled(order)))

    assert result.outcome == "applied"
    assert house.stock()[sku] == 1000


def test_a_sender_who_was_asleep_does_not_take_an_order_on_that_is_being_cancelled(
    house: House, sku: str, proxy: Proxy
) -> None:
    order = order_of({sku: 4})
    house.leave_at(order, "draft")
    proxy.faults.append(Fault("sale.sale.write", after=cut))  # the sale is marked as cancelled, and no more
    with pytest.raises(ErpAmbiguous):
        house.behind_proxy.cancel(batch_of(cancelled(order)))

    (late,) = house.adapter.submit(batch_of(order))
    (result,) = house.adapter.cancel(batch_of(cancelled(order)))

    assert [late.outcome, result.outcome] == ["unknown", "applied"]
    assert (order.key, "cancelled") in house.states()


def at_once(house: House, batches: Sequence[Batch]) -> list[Result]:
    """Hand batches over side by side, each by a sender of its own."""

    def send(batch: Batch) -> Sequence[Result]:
        adapter = house.adapter_with()
        return adapter.cancel(batch) if batch.kind == "cancelled" else adapter.submit(batch)

    with ThreadPoolExecutor(len(batches)) as pool:
        return [result for results in pool.map(send, batches) for result in results]


def assert_booked_once(house: House, sku: str, orders: Sequence[Document]) -> None:
    """Each order is one sale that is processed, and its units are promised once."""
    states = Counter(state for state in house.states() if state[0] in {order.key for order in orders})
    assert states == {(order.key, "processing"): 1 for order in orders}
    assert house.stock()[sku] == 1000 - sum(order.lines[0].quantity for order in orders)
