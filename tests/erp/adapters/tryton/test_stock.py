"""Stock figures: what the warehouse would still promise, and which of our orders that has deducted."""

import time
from decimal import Decimal

from storefront.erp.adapter import AppliedSet, Snapshot, Wanted
from tests.erp.adapters.tryton.documents import batch_of, cancelled, order_of
from tests.erp.adapters.tryton.house import House
from tests.erp.adapters.tryton.proxy import Fault, Proxy


def wanted(*skus: str, pending: tuple[str, ...] = (), last: Snapshot | None = None, since_ms: int = 0) -> Wanted:
    now_ms = int(time.time() * 1000)
    return Wanted(last.sequence if last else 0, last.content_hash if last else "", pending, skus, since_ms, now_ms)


def figure(house: House, sku: str) -> int:
    snapshot = house.adapter.snapshot(wanted(sku))
    assert snapshot is not None
    return snapshot.figures[sku]


def test_a_planned_receipt_does_not_raise_the_figure(house: House, sku: str) -> None:
    house.plan(sku, 500, "SUP", "IN", price=Decimal(1))
    house.plan(sku, 500, "IN", "STO")
    house.plan(sku, 500, "SUP", "STO", price=Decimal(1))

    assert figure(house, sku) == 1000


def test_what_is_on_its_way_out_to_a_customer_lowers_the_figure(house: House, sku: str) -> None:
    house.plan(sku, 30, "OUT", "CUS", price=Decimal(1))
    house.plan(sku, 4, "STO", "CUS", price=Decimal(1))

    assert figure(house, sku) == 966


def test_a_sale_is_deducted_once_through_all_stages_of_its_shipment(house: House, sku: str) -> None:
    order = order_of({sku: 7})

    figures = [figure(house, sku)]
    house.adapter.submit(batch_of(order))
    figures.append(figure(house, sku))
    house.pick(order)
    figures.append(figure(house, sku))
    house.ship(order)
    figures.append(figure(house, sku))

    assert figures == [1000, 993, 993, 993]


def test_the_figures_are_those_of_the_books_and_only_of_what_was_asked_for(house: House, sku: str) -> None:
    house.set_stock({f"{sku}-A": 3, f"{sku}-B": 0})
    house.plan(f"{sku}-B", 2, "OUT", "CUS", price=Decimal(1))

    snapshot = house.adapter.snapshot(wanted(f"{sku}-A", f"{sku}-B", "NOBODY-KNOWS-IT"))

    assert snapshot is not None
    assert snapshot.figures == {f"{sku}-A": 3, f"{sku}-B": -2}
    assert {name: house.stock()[name] for name in snapshot.figures} == snapshot.figures


def test_the_watermark_names_what_is_processed_and_nothing_before_that(house: House, sku: str) -> None:
    processed, confirmed, draft, gone = (order_of({sku: 1}) for _ in range(4))
    house.adapter.submit(batch_of(processed, gone))
    house.leave_at(confirmed, "confirmed")
    house.leave_at(draft, "draft")
    house.adapter.cancel(batch_of(cancelled(gone)))

    pending = (processed.key, confirmed.key, draft.key, gone.key, "order-999999-1")
    snapshot = house.adapter.snapshot(wanted(sku, pending=pending))

    assert snapshot is not None
    assert snapshot.watermark == AppliedSet(frozenset({processed.key}))
    assert snapshot.figures == {sku: 999}


def test_a_sale_that_is_processed_while_figures_are_read_is_not_said_to_be_in_them(
    house: House, sku: str, proxy: Proxy
) -> None:
    order = order_of({sku: 6})
    house.leave_at(order, "confirmed")

    proxy.faults.append(Fault("product.product.search_read", after=lambda: house.press("process", order)))
    snapshot = house.behind_proxy.snapshot(wanted(sku, pending=(order.key,)))

    assert snapshot is not None
    assert snapshot.watermark == AppliedSet(frozenset())


def test_what_leaves_while_figures_are_read_is_not_counted_as_there(house: House, sku: str, proxy: Proxy) -> None:
    order = order_of({sku: 6})
    house.adapter.submit(batch_of(order))
    house.pick(order)

    proxy.faults.append(Fault("product.product.search_read", after=lambda: house.ship(order)))
    snapshot = house.behind_proxy.snapshot(wanted(sku))

    assert snapshot is not None
    assert snapshot.figures[sku] <= 994


def test_an_order_that_has_left_the_house_is_named(house: House, sku: str) -> None:
    sent, waiting = order_of({sku: 1}), order_of({sku: 1})
    house.adapter.submit(batch_of(sent, waiting))
    house.ship(sent)

    snapshot = house.adapter.snapshot(wanted(sku))

    assert snapshot is not None
    assert sent.key in snapshot.shipped
    assert waiting.key not in snapshot.shipped


def test_the_same_figures_are_told_once(house: House, sku: str) -> None:
    first = house.adapter.snapshot(wanted(sku))

    again = house.adapter.snapshot(wanted(sku, last=first))
    house.set_stock({sku: 5})
    other = house.adapter.snapshot(wanted(sku, last=first))

    assert again is None
    assert other is not None
    assert other.figures == {sku: 5}


def test_only_what_was_moved_is_said_to_have_changed(house: House, sku: str) -> None:
    house.create_products([f"{sku}-STILL"])
    house.ask("model.product.product.write", [house.products()[f"{sku}-STILL"]], {"description": "new words"})
    now_ms = int(time.time() * 1000)

    lately, ever, later = (house.adapter.changed_skus(since) or [] for since in (now_ms, 0, now_ms + 3_600_000))

    assert sku in lately
    assert f"{sku}-STILL" not in ever
    assert not later
