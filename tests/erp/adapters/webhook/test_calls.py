"""What the shop tells and asks an ERP behind a webhook, over a real socket."""

from decimal import Decimal
from pathlib import Path

from storefront.erp.adapter import Adapter, AppliedSet, BookedLine, Result
from tests.erp.adapters.webhook.house import House, adapter_of
from tests.erp.adapters.webhook.orders import batch, cancellation, order, wanted
from tests.erp.adapters.webhook.receiver import Receiver


def outcomes(results: object) -> dict[str, str]:
    assert isinstance(results, list)
    return {one.key: one.outcome for one in results}


def test_it_tells_how_it_is(adapter: Adapter) -> None:
    assert adapter.health() == "the reference receiver is well"


def test_orders_are_booked_with_their_lines_and_prices(house: House) -> None:
    results = house.adapter.submit(batch(1, order(1, "MUG", 2), order(2, "CAP")))

    assert results == [
        Result("order-1-1", "applied", erp_id="SO-order-1-1"), Result("order-2-1", "applied", erp_id="SO-order-2-1"),
    ]  # fmt: skip
    assert house.booked() == [
        BookedLine(1, 1, "MUG", 2, Decimal("10.00"), "EUR"), BookedLine(2, 1, "CAP", 1, Decimal("10.00"), "EUR"),
    ]  # fmt: skip
    assert house.stock() == {"MUG": 8, "CAP": 4}


def test_a_batch_says_all_of_itself(adapter: Adapter, receiver: Receiver) -> None:
    sent = batch(7, order(1))

    adapter.submit(sent)

    (seen,) = receiver.seen
    assert (seen.path, seen.headers["content-type"]) == ("/batches", "application/json")
    assert {name: seen.json[name] for name in ("batch", "sequence", "kind", "sha256")} == {
        "batch": "batch-7", "sequence": 7, "kind": "placed", "sha256": sent.content_hash,
    }  # fmt: skip
    (line,) = seen.json["lines"]
    assert (line["idempotency_key"], line["name"], line["total"]) == ("order-1-1", "Ann Ölund", "10.00")
    assert line["lines"] == [
        {"line": 1, "sku": "MUG", "title": "Mug", "quantity": 1, "unit_price": "10.00", "tax": "1.67"}
    ]


def test_the_same_batch_again_is_booked_once(house: House) -> None:
    house.adapter.submit(batch(1))

    again = house.adapter.submit(batch(1))

    assert outcomes(again) == {"order-1-1": "duplicate"}
    assert len(house.booked()) == 1


def test_both_tries_of_a_batch_bear_the_same_id(adapter: Adapter, receiver: Receiver) -> None:
    for _ in range(2):
        adapter.submit(batch(3))

    assert [seen.headers["webhook-id"] for seen in receiver.seen] == ["batch-3", "batch-3"]


def test_a_cancellation_takes_its_order_off_the_books(house: House) -> None:
    house.adapter.submit(batch(1, order(1, "MUG", 3), order(2)))

    results = house.adapter.cancel(batch(2, cancellation(1, "MUG", 3)))

    assert outcomes(results) == {"order-1-2": "applied"}
    assert [line.order_id for line in house.booked()] == [2]
    assert house.stock()["MUG"] == 9


def test_one_bad_order_does_not_hold_up_the_others(adapter: Adapter) -> None:
    results = adapter.submit(batch(1, order(1), order(2, "SOCK"), order(3)))

    assert outcomes(results) == {"order-1-1": "applied", "order-2-1": "rejected", "order-3-1": "applied"}
    assert results[1].words == "there is no article SOCK"


def test_what_was_accepted_is_asked_for_until_it_is_booked(house: House) -> None:
    house.receiver.books_at_once = False

    first = house.adapter.submit(batch(1))
    before = house.adapter.lookup(["order-1-1"])
    house.work()
    after = house.adapter.lookup(["order-1-1"])

    assert [one["order-1-1"].outcome for one in (before, after)] == ["accepted", "applied"]
    assert outcomes(first) == {"order-1-1": "accepted"}


def test_a_cancellation_waits_for_its_order(house: House) -> None:
    house.receiver.books_at_once = False
    house.adapter.submit(batch(1))
    house.receiver.books_at_once = True

    results = house.adapter.cancel(batch(2, cancellation(1)))

    assert outcomes(results) == {"order-1-2": "retry_later"}


def test_what_the_erp_does_not_know_is_absent(adapter: Adapter) -> None:
    adapter.submit(batch(1, order(1), order(2, "SOCK")))

    found = adapter.lookup(["order-1-1", "order-2-1", "order-3-1"])

    assert {key: one.outcome for key, one in found.items()} == {"order-1-1": "applied", "order-2-1": "rejected"}


def test_a_snapshot_has_the_figures_and_what_they_have_deducted(adapter: Adapter) -> None:
    adapter.submit(batch(1, order(1, "MUG", 4)))

    found = adapter.snapshot(wanted("order-1-1", "order-9-1"))

    assert found is not None
    assert (found.sequence, found.stock, found.figures) == (1, "promisable", {"MUG": 6, "CAP": 5})
    assert found.watermark == AppliedSet(frozenset({"order-1-1"}))


def test_only_the_skus_of_the_shop_are_asked_for(house: House) -> None:
    house.set_stock({"ANVIL": 1})

    found = house.adapter.snapshot(wanted(skus=("MUG",)))

    assert found and found.figures == {"MUG": 10}


def test_a_snapshot_that_says_nothing_new_is_none(house: House) -> None:
    first = house.adapter.snapshot(wanted())
    assert first

    again = house.adapter.snapshot(wanted(last_sequence=1, last_hash=first.content_hash))
    other_skus = house.adapter.snapshot(
        wanted(last_sequence=1, last_hash=first.content_hash, skus=("MUG", "CAP", "NEW"))
    )
    house.set_stock({"MUG": 9})
    changed = house.adapter.snapshot(wanted(last_sequence=1, last_hash=first.content_hash))

    assert again is None
    assert other_skus and other_skus.figures == first.figures
    assert changed and changed.figures["MUG"] == 9


def test_it_tells_which_skus_have_changed(house: House) -> None:
    before = house.adapter.changed_skus(0)
    after = house.adapter.changed_skus(4_000_000_000_000)

    assert (before, after) == ({"MUG", "CAP"}, set())


def test_the_books_are_read_page_by_page(house: House) -> None:
    orders = [order(number, "MUG") for number in range(1, 6)]
    house.adapter.submit(batch(1, *orders))

    lines = list(house.adapter.booked())

    assert [line.order_id for line in lines] == [1, 2, 3, 4, 5]
    assert lines == house.booked()
    assert len(house.receiver.seen) == 1 + 3 + 1


def test_an_empty_house_has_empty_books(adapter: Adapter) -> None:
    assert list(adapter.booked()) == []


def test_another_process_goes_on_where_one_was_killed(house: House, tmp_path: Path) -> None:
    house.adapter.submit(batch(1))

    other = adapter_of(house.environ, tmp_path)

    assert outcomes(other.submit(batch(1))) == {"order-1-1": "duplicate"}
