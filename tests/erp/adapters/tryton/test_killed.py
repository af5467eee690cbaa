"""Senders that are killed between two calls, and senders that all come at once: each order ends up booked once."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from storefront.erp.adapter import Batch, Result
from storefront.erp.documents import Document, content_of
from tests.erp.adapters.tryton.documents import batch_of, cancelled, order_of
from tests.erp.adapters.tryton.house import House
from tests.erp.adapters.tryton.proxy import Fault, Proxy, cut
from tests.running import ROOT

PLACES = [
    ("sale.create", "before"), ("sale.create", "after"),
    ("sale.quote", "before"), ("sale.quote", "after"),
    ("sale.confirm", "before"), ("sale.confirm", "after"),
    ("sale.process", "before"), ("sale.process", "after"),
]  # fmt: skip
PLACES_BACK = [
    ("sale.sale.write", "after"), ("shipment.out.cancel", "before"), ("shipment.out.cancel", "after"),
    ("sale.line.write", "after"), ("sale.process", "before"), ("sale.process", "after"),
]  # fmt: skip
Proxied = Callable[..., Proxy]


def kill_a_sender(house: House, proxied: Proxied, orders: Sequence[Document], method: str, moment: str) -> None:
    """Let another process hand orders over, and kill it right before or after a call."""
    sender: list[subprocess.Popen[bytes]] = []

    def kill() -> None:
        sender[0].kill()
        sender[0].wait(10)
        if moment == "before":
            cut()

    proxy = proxied(Fault(method, **{moment: kill}))  # type: ignore[arg-type]
    environ = os.environ | house.environ_of(ERP_TRYTON_URL=proxy.url)
    command = [sys.executable, "-m", "tests.erp.adapters.tryton.sender"]
    sender.append(subprocess.Popen(command, cwd=ROOT, env=environ, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL))
    sender[0].communicate(content_of(orders).encode(), timeout=60)
    assert sender[0].returncode == -9, "it was not killed"


@pytest.mark.parametrize(("method", "moment"), PLACES)
def test_whoever_comes_after_a_killed_sender_finishes_his_work(
    house: House, sku: str, proxied: Proxied, method: str, moment: str
) -> None:
    orders = [order_of({sku: 2}) for _ in range(3)]
    kill_a_sender(house, proxied, orders, method, moment)

    results = house.adapter.submit(batch_of(*orders))

    assert {result.outcome for result in results} <= {"applied", "duplicate"}
    assert_booked_once(house, sku, orders)


@pytest.mark.parametrize(("method", "moment"), PLACES_BACK)
def test_whoever_comes_after_a_killed_sender_of_cancellations_finishes_his_work(
    house: House, sku: str, proxied: Proxied, method: str, moment: str
) -> None:
    orders = [order_of({sku: 2}) for _ in range(3)]
    house.adapter.submit(batch_of(*orders))
    kill_a_sender(house, proxied, [cancelled(order) for order in orders], method, moment)

    results = house.adapter.cancel(batch_of(*(cancelled(order) for order in orders)))

    assert {result.outcome for result in results} <= {"applied", "duplicate"}
    assert house.stock()[sku] == 1000


def test_an_order_that_has_only_begun_to_arrive_is_unknown_so_that_it_is_sent_again(house: House, sku: str) -> None:
    draft, quotation = order_of({sku: 1}), order_of({sku: 1})
    house.leave_at(draft, "draft")
    house.leave_at(quotation, "quotation")

    assert house.adapter.lookup([draft.key, quotation.key]) == {}


def test_four_senders_of_the_same_batch_at_once_book_each_order_once(house: House, sku: str) -> None:
    orders = [order_of({sku: 1}) for _ in range(10)]

    results = at_once(house, [batch_of(*orders)] * 4)

    assert {result.outcome for result in results} <= {"applied", "duplicate"}
    assert_booked_once(house, sku, orders)
    emails = house.read("SELECT value FROM party_contact_mechanism")
    assert {Counter(emails)[(order.email,)] for order in orders} == {1}


def test_four_senders_of_different_batches_at_once_book_each_order_once(house: House, sku: str) -> None:
    orders = [order_of({sku: 1}) for _ in range(40)]

    results = at_once(house, [batch_of(*orders[start : start + 10]) for start in range(0, 40, 10)])

    assert [result.outcome for result in results] == ["applied"] * 40
    assert_booked_once(house, sku, orders)


def test_a_sender_who_was_asleep_does_not_take_a_cancelled_order_on(house: House, sku: str) -> None:
    order = order_of({sku: 4})
    house.leave_at(order, "draft")

    at_once(house, [batch_of(order), batch_of(cancelled(order))])
    house.adapter.cancel(batch_of(cancelled(order)))
    house.adapter.submit(batch_of(order))

    assert house.stock()[sku] == 1000
    assert order.order_id not in {line.order_id for line in house.booked()}


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
