"""Orders that the shop cancels, in each state that they may be in at Tryton."""

from tests.erp.adapters.tryton.documents import batch_of, cancelled, order_of
from tests.erp.adapters.tryton.house import House


def test_what_is_not_processed_is_cancelled(house: House, sku: str) -> None:
    orders = {state: order_of({sku: 4}) for state in ("draft", "quotation", "confirmed")}
    for state, order in orders.items():
        house.leave_at(order, state)

    results = house.adapter.cancel(batch_of(*map(cancelled, orders.values())))

    assert [result.outcome for result in results] == ["applied"] * 3
    assert [(order.key, "cancelled") in house.states() for order in orders.values()] == [True] * 3
    assert house.stock()[sku] == 1000


def test_what_is_processed_lets_go_of_its_units(house: House, sku: str) -> None:
    order, other = order_of({sku: 4}), order_of({sku: 5})
    house.adapter.submit(batch_of(order, other))

    (result,) = house.adapter.cancel(batch_of(cancelled(order)))

    assert result.outcome == "applied"
    assert house.stock()[sku] == 995
    assert {line.order_id for line in house.booked()} & {order.order_id, other.order_id} == {other.order_id}
    assert list(house.adapter.booked()) == house.booked()


def test_what_is_picked_goes_back_to_the_shelf(house: House, sku: str) -> None:
    order = order_of({sku: 4})
    house.adapter.submit(batch_of(order))
    house.pick(order)
    assert house.stock()[sku] == 996

    (result,) = house.adapter.cancel(batch_of(cancelled(order)))

    assert result.outcome == "applied"
    assert house.stock()[sku] == 1000


def test_what_has_left_the_house_is_not_taken_back(house: House, sku: str) -> None:
    order, other = order_of({sku: 4}), order_of({sku: 5})
    house.adapter.submit(batch_of(order, other))
    house.ship(order)

    results = house.adapter.cancel(batch_of(cancelled(order), cancelled(other)))

    assert [result.outcome for result in results] == ["rejected", "applied"]
    assert "has left the house" in results[0].words
    assert house.stock()[sku] == 996


def test_what_is_invoiced_is_not_taken_back(house: House, sku: str) -> None:
    house.invoice("order")
    order = order_of({sku: 4})
    house.adapter.submit(batch_of(order))
    house.invoice("fulfillment")

    (result,) = house.adapter.cancel(batch_of(cancelled(order)))

    assert result.outcome == "rejected"
    assert "is invoiced" in result.words
    assert house.stock()[sku] == 996


def test_an_order_that_tryton_does_not_know_is_not_taken_back(house: House, sku: str) -> None:
    order = order_of({sku: 1})

    (result,) = house.adapter.cancel(batch_of(cancelled(order)))

    assert result.outcome == "rejected"
    assert order.key in result.words


def test_taking_back_twice_is_taking_back_once(house: House, sku: str) -> None:
    order = order_of({sku: 4})
    house.adapter.submit(batch_of(order))
    house.adapter.cancel(batch_of(cancelled(order)))

    (again,) = house.adapter.cancel(batch_of(cancelled(order)))

    assert again.outcome == "duplicate"
    assert house.stock()[sku] == 1000


def test_an_order_that_comes_again_after_it_was_taken_back_is_not_booked_anew(house: House, sku: str) -> None:
    order = order_of({sku: 4})
    house.adapter.submit(batch_of(order))
    house.adapter.cancel(batch_of(cancelled(order)))

    (late,) = house.adapter.submit(batch_of(order))

    assert late.outcome == "duplicate"
    assert house.stock()[sku] == 1000


def test_an_order_that_somebody_has_cancelled_in_tryton_is_shown_to_a_person(house: House, sku: str) -> None:
    order = order_of({sku: 4})
    house.leave_at(order, "quotation")
    house.press("cancel", order)

    (result,) = house.adapter.submit(batch_of(order))

    assert result.outcome == "rejected"
    assert "somebody has cancelled it" in result.words
