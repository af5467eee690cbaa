"""The whole round with a Tryton that works: orders in, states asked for, orders taken back, books read."""

from collections import Counter
from decimal import Decimal

from storefront.erp.adapter import BookedLine
from storefront.erp.adapters.tryton.sales import lots
from storefront.erp.documents import Line
from tests.erp.adapters.tryton.documents import batch_of, cancelled, order_of
from tests.erp.adapters.tryton.house import House


def lines_of(house: House, *order_ids: int) -> list[BookedLine]:
    return [line for line in house.booked() if line.order_id in order_ids]


def test_an_order_is_booked_with_its_lines_and_its_units_are_promised(house: House, sku: str) -> None:
    order = order_of({sku: 3})

    (result,) = house.adapter.submit(batch_of(order))

    assert (result.key, result.outcome) == (order.key, "applied")
    assert result.erp_id
    assert lines_of(house, order.order_id) == [BookedLine(order.order_id, 1, sku, 3, Decimal("2.50"), "EUR")]
    assert house.stock()[sku] == 997


def test_the_adapter_reads_the_same_books(house: House, sku: str) -> None:
    house.adapter.submit(batch_of(order_of({sku: 1}), order_of({sku: 2})))

    assert list(house.adapter.booked()) == house.booked()


def test_a_batch_that_is_handed_over_again_is_booked_once(house: House, sku: str) -> None:
    batch = batch_of(order_of({sku: 1}), order_of({sku: 1}))
    house.adapter.submit(batch)

    again = house.adapter.submit(batch)

    assert [result.outcome for result in again] == ["duplicate", "duplicate"]
    assert house.stock()[sku] == 998


def test_each_line_comes_to_the_shops_sum_to_the_last_cent(house: House, sku: str) -> None:
    prices = ["0.10", "0.20", "0.30", "1.15", "19.99", "33.33", "0.07", "1234567.89"]
    orders = [order_of({sku: 3}, price=price) for price in prices]

    house.adapter.submit(batch_of(*orders))

    assert [house.total(order) for order in orders] == [order.total for order in orders]
    prices_booked = [str(line.unit_price) for line in lines_of(house, *(one.order_id for one in orders))]
    assert prices_booked == prices


def test_one_bad_order_among_fifty_is_told_by_line_and_sku_and_the_others_are_booked(house: House, sku: str) -> None:
    orders = [order_of({sku: 1}) for _ in range(49)]
    bad = order_of({sku: 1, "NOBODY-KNOWS-IT": 1})

    results = house.adapter.submit(batch_of(*orders[:20], bad, *orders[20:]))

    outcomes = {result.key: result.outcome for result in results}
    assert Counter(outcomes.values()) == {"applied": 49, "rejected": 1}
    assert outcomes[bad.key] == "rejected"
    words = next(result.words for result in results if result.key == bad.key)
    assert "line 2, SKU 'NOBODY-KNOWS-IT'" in words
    assert house.stock()[sku] == 951
    assert lines_of(house, bad.order_id) == []


def test_one_order_that_tryton_itself_refuses_is_found_without_reading_its_words(house: House, sku: str) -> None:
    orders = [order_of({sku: 1}) for _ in range(9)]
    bad = order_of({sku: 1})
    house.forbid(bad.number)

    results = house.adapter.submit(batch_of(*orders, bad))

    assert [result.outcome for result in results] == ["applied"] * 9 + ["rejected"]
    assert results[-1].words


def test_what_cannot_be_booked_rightly_is_refused_before_tryton_sees_it(house: House, sku: str) -> None:
    house.create_products(["NOT-FOR-SALE"], salable=False)
    good = order_of({sku: 1})
    bad = {
        "it is in USD": order_of({sku: 1}, currency="USD"),
        "no country 'ZZ'": order_of({sku: 1}, country="ZZ"),
        "no lines": order_of({}),
        "not salable": order_of({"NOT-FOR-SALE": 1}),
        "more than 4 decimals": order_of({sku: 1}, price="0.10001"),
        "whole cents": order_of({sku: 1}, price="0.1250"),
        "no price": order_of({sku: 1}, price="-1"),
        "0 units": order_of({sku: 0}),
        "do not add up": order_of({sku: 1}, total=Decimal("7")),
    }

    results = house.adapter.submit(batch_of(good, *bad.values()))

    assert results[0].outcome == "applied"
    for words, result in zip(bad, results[1:], strict=True):
        assert result.outcome == "rejected"
        assert words in result.words


def test_a_shopper_who_orders_again_stays_one_customer_with_one_address_for_each_place(house: House, sku: str) -> None:
    home, work = {"line1": "1 Home Street"}, {"line1": "2 Office Park"}
    ann = {"email": "Ann.Again@Example.org", "name": "Ann"}

    house.adapter.submit(batch_of(order_of({sku: 1}, **ann, **home)))
    house.adapter.submit(batch_of(order_of({sku: 1}, **ann, **home), order_of({sku: 1}, **ann, **work)))

    parties = house.read("SELECT party FROM party_contact_mechanism WHERE value = 'ann.again@example.org'")
    assert len(parties) == 1
    streets = house.read("SELECT street_unstructured FROM party_address WHERE party = ? ORDER BY id", *parties[0])
    assert streets == [("1 Home Street",), ("2 Office Park",)]


def test_a_customer_whom_tryton_knew_before_is_found_by_the_address_of_his_mails(house: House, sku: str) -> None:
    contact = {"type": "email", "value": "old.friend@example.org"}
    (friend,) = house.ask(
        "model.party.party.create", [{"name": "Old Friend", "contact_mechanisms": [["create", [contact]]]}]
    )
    order = order_of({sku: 1}, email="old.friend@example.org")

    house.adapter.submit(batch_of(order))

    assert house.read("SELECT party FROM sale_sale WHERE web_id = ?", order.key) == [(friend,)]


def test_documents_are_looked_up_by_key(house: House, sku: str) -> None:
    order, gone, never = order_of({sku: 1}), order_of({sku: 1}), order_of({sku: 1})
    house.adapter.submit(batch_of(order, gone))
    house.adapter.cancel(batch_of(cancelled(gone)))

    found = house.adapter.lookup([order.key, cancelled(order).key, gone.key, cancelled(gone).key, never.key])

    assert {key: result.outcome for key, result in found.items()} == {
        order.key: "applied",
        gone.key: "duplicate",
        cancelled(gone).key: "applied",
    }


def test_a_long_order_is_booked_in_the_order_of_its_lines(house: House, sku: str) -> None:
    lines = tuple(Line(number, sku, "", number, Decimal("0.05"), Decimal(0)) for number in range(1, 31))
    order = order_of({sku: 1}, lines=lines, total=Decimal("23.25"))

    house.adapter.submit(batch_of(order))

    assert [(line.line, line.quantity) for line in lines_of(house, order.order_id)] == [(n, n) for n in range(1, 31)]


def test_calls_are_kept_short_by_lots_of_not_too_many_lines() -> None:
    assert list(lots([150, 50, 1, 900, 199, 2], int)) == [[150, 50], [1], [900], [199], [2]]
    assert list(lots([], int)) == []


def test_health_names_the_version_and_the_shop(house: House) -> None:
    assert house.adapter.health() == "Tryton 8.2, web shop 'Stockbeat'"
