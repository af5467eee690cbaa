"""The reconciliation: it names exactly what differs between the shop and the ERP, and explains both sides."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as some
from sqlalchemy import text

from storefront.core.db import transaction
from storefront.core.tools import take
from storefront.erp import buffer, reconcile
from storefront.erp.adapter import BookedLine, ErpUnavailable
from storefront.erp.exchange import Exchange
from storefront.erp.reconcile import Difference, Report, Sold, Tally, compare
from storefront.stock.stockroom import Stockroom
from tests.erp.office import Erp, open_erp

PRICES = some.decimals(min_value=0, max_value=1000, places=2)
STATES = some.sampled_from([(True, ""), (False, ""), (False, "dead")])


@some.composite
def lines(draw: some.DrawFn) -> list[Sold]:
    """Lines of some orders, each order in one state."""
    found = []
    for order_id in range(1, draw(some.integers(1, 6))):
        settled, stuck = draw(STATES)
        counts, day = draw(some.booleans()), draw(some.sampled_from(["2026-11-22", "2026-11-23"]))
        for line in range(1, draw(some.integers(1, 4))):
            sku, quantity = draw(some.sampled_from(["MUG", "CAP"])), draw(some.integers(1, 9))
            found.append(Sold(order_id, line, sku, quantity, draw(PRICES), "EUR", day, counts, settled, stuck))
    return found


def booked_as(sold: Sold) -> BookedLine:
    return BookedLine(*sold[:6])


def told(report: Report) -> list[tuple[str, int, int]]:
    """Kind, order and line of what somebody has to look at."""
    return [(one.kind, one.order_id, one.line) for one in report.differences]


@given(lines())
def test_an_erp_that_has_what_counts_and_is_settled_differs_in_what_is_stuck_only(sold: list[Sold]) -> None:
    booked = [booked_as(one) for one in sold if one.counts and one.settled]

    report = compare(sold, booked)

    assert told(report) == [("stuck", one.order_id, one.line) for one in sold if one.counts and one.stuck]


@given(lines(), some.data())
def test_what_is_planted_is_named_and_nothing_else(sold: list[Sold], data: some.DataObject) -> None:
    sold = [one._replace(settled=True, stuck="") for one in sold]
    booked, planted = [], []
    for one in sold:
        fault = data.draw(some.sampled_from(["none", "none", "missing", "extra", *reconcile.COMPARED]))
        copies, changed, kind = _plant(one, fault)
        booked += [changed] * copies
        planted += [(kind, one.order_id, one.line)] if kind else []
    booked.append(BookedLine(99, 1, "MUG", 1, Decimal("1.00"), "EUR"))

    report = compare(sold, data.draw(some.permutations(booked)))

    assert told(report) == [*planted, ("extra", 99, 1)]


def _plant(one: Sold, fault: str) -> tuple[int, BookedLine, str]:
    """How often the ERP has the line, as what, and what the report should call it."""
    same = booked_as(one)
    if not one.counts:
        return (1, same, "extra") if fault != "none" else (0, same, "")
    changes = {
        "sku": {"sku": "HAT"}, "quantity": {"quantity": one.quantity + 1},
        "unit_price": {"unit_price": one.unit_price + Decimal("0.01")}, "currency": {"currency": "USD"},
    }  # fmt: skip
    if fault in changes:
        return 1, replace(same, **changes[fault]), "different"  # type: ignore[arg-type]
    return {"none": (1, same, ""), "missing": (0, same, "missing"), "extra": (2, same, "extra")}[fault]


@given(lines(), some.data())
def test_what_was_found_explains_the_two_sides_to_the_last_cent(sold: list[Sold], data: some.DataObject) -> None:
    booked = [booked_as(one) for one in sold for _ in range(data.draw(some.integers(0, 2)))]

    report = compare(sold, booked)

    assert sum(map(effect_of, report.found), Tally()) == sum(
        (pair.difference for pair in report.cells.values()), Tally()
    )
    assert sum((pair.shop for pair in report.cells.values()), Tally()) == sum(
        (Tally(1, one.quantity, one.quantity * one.unit_price) for one in sold if one.counts), Tally()
    )


def effect_of(one: Difference) -> Tally:
    sides = Tally(), Tally()
    for side, line in zip(sides, (one.shop, one.erp), strict=True):
        if line:
            side.add(line)
    return sides[0] - sides[1]


def test_a_different_line_says_in_which_fields() -> None:
    sold = Sold(1, 1, "MUG", 2, Decimal("10.0"), "EUR", "2026-11-23")
    booked = BookedLine(1, 1, "MUG", 3, Decimal("10.01"), "EUR")

    found = compare([sold], [booked]).found[0]

    assert (found.fields, found.number, found.day) == (["quantity", "unit_price"], "1001", "2026-11-23")


def test_what_is_on_the_way_is_no_difference_and_is_told() -> None:
    placed = Sold(1, 1, "MUG", 2, Decimal("10.00"), "EUR", "2026-11-23", settled=False)
    cancelled = Sold(2, 1, "CAP", 1, Decimal("5.00"), "EUR", "2026-11-23", counts=False, settled=False)

    report = compare([placed, cancelled], [booked_as(cancelled)])

    assert report.differences == []
    assert report.counts == {"on_the_way": 2}


# -- with a shop, a database and an ERP -----------------------------------------------------------------------------


@pytest.fixture
def exchange(app: Flask) -> Exchange:
    return take("exchange")


@pytest.fixture
def erp(app: Flask, tmp_path: Path) -> Iterator[Erp]:
    with open_erp(app, tmp_path) as erp:
        yield erp


def test_after_a_sync_both_sides_are_the_same(exchange: Exchange, erp: Erp) -> None:
    erp.order(MUG=2, CAP=1)
    _, bob, token = erp.order(MUG=1)
    erp.sync()
    bob.post(f"/api/v1/orders/{token}/cancel")
    erp.sync()

    report = reconcile.reconcile(exchange)

    both = Tally(2, 3, Decimal("30.00"))
    assert report.found == []
    assert (report.totals()["EUR"].shop, report.totals()["EUR"].erp) == (both, both)


@pytest.mark.parametrize("statement, found", [
    ("UPDATE lines SET quantity = 7 WHERE line = 2", ("different", 1, 2)),
    ("UPDATE lines SET unit_price = '9.99' WHERE order_id = 1 AND line = 1", ("different", 1, 1)),
    ("DELETE FROM lines WHERE line = 2", ("missing", 1, 2)),
    ("INSERT INTO lines VALUES (77, 1, 'MUG', 1, '10.00', 'EUR')", ("extra", 77, 1)),
    ("INSERT INTO lines VALUES (1, 3, 'MUG', 1, '10.00', 'EUR')", ("extra", 1, 3)),
])  # fmt: skip
def test_a_line_that_is_corrupted_in_the_erp_is_named(
    exchange: Exchange, erp: Erp, statement: str,
    found: tuple[str, int, int],
) -> None:  # fmt: skip
    erp.order(MUG=2, CAP=1)
    erp.order(MUG=1)
    erp.sync()
    erp.change(statement)

    report = reconcile.reconcile(exchange)

    assert told(report) == [found]


def test_a_cancellation_that_never_reached_the_books_is_extra(exchange: Exchange, erp: Erp) -> None:
    _, ann, token = erp.order(MUG=2)
    erp.sync()
    ann.post(f"/api/v1/orders/{token}/cancel")
    before = reconcile.reconcile(exchange)
    erp.sync()
    erp.change("DELETE FROM documents WHERE kind = 'cancelled'")

    report = reconcile.reconcile(exchange)

    assert (before.differences, before.counts) == ([], {"on_the_way": 1})
    assert told(report) == [("extra", 1, 1)]


def test_what_was_cancelled_before_it_was_sent_counts_for_nothing(exchange: Exchange, erp: Erp) -> None:
    erp.sync()
    _, ann, token = erp.order(MUG=2)
    ann.post(f"/api/v1/orders/{token}/cancel")

    report = reconcile.reconcile(exchange)

    assert (report.found, report.cells) == ([], {})


def make_older(room: Stockroom, minutes: int) -> None:
    with transaction(room.engine) as session:
        session.execute(text("UPDATE erp_buffer SET created_at_ms = created_at_ms - :ms"), {"ms": minutes * 60_000})


def test_what_waits_for_minutes_is_stuck_and_says_how_long(exchange: Exchange, erp: Erp) -> None:
    erp.sync()
    erp.order(MUG=2)
    young = reconcile.reconcile(exchange)
    make_older(exchange.room, 9)

    report = reconcile.reconcile(exchange)

    assert (young.differences, young.counts) == ([], {"on_the_way": 1})
    assert [(one.kind, one.why) for one in report.differences] == [("stuck", "waiting for 9 minutes")]


def test_a_dead_letter_is_stuck_with_the_words_of_the_erp(exchange: Exchange, erp: Erp) -> None:
    erp.forget("CAP")
    erp.order(MUG=1)
    erp.order(CAP=1)
    erp.sync()

    report = reconcile.reconcile(exchange)

    dead = buffer.dead_letters(exchange.room)
    assert told(report) == [("stuck", 2, 1)]
    assert dead[0].words in report.differences[0].why


def test_only_the_orders_of_the_chosen_days_are_compared(exchange: Exchange, erp: Erp) -> None:
    erp.order(MUG=1)
    erp.order(CAP=1)
    with transaction(exchange.room.engine) as session:  # 23:59:59.999 and 00:00, in UTC
        session.execute(
            text("UPDATE orders SET created_at_ms = CASE id WHEN 1 THEN 1795391999999 ELSE 1795392000000 END")
        )
    erp.sync()
    erp.change("UPDATE lines SET quantity = 9")

    before, after = date(2026, 11, 22), date(2026, 11, 23)
    reports = [reconcile.reconcile(exchange, *days) for days in ((before, before), (after, None), (None, after))]

    assert [told(report) for report in reports] == [
        [("different", 1, 1)], [("different", 2, 1)], [("different", 1, 1), ("different", 2, 1)],
    ]  # fmt: skip
    assert [list(report.days()) for report in reports] == [["2026-11-22"], ["2026-11-23"], ["2026-11-22", "2026-11-23"]]


class BusyErp:
    """The real adapter, at the moment of whose answer something happens in the shop."""

    def __init__(self, exchange: Exchange, happens: Callable[[], object]):
        self.real, self.happens = exchange.adapter, happens

    def booked(self) -> Iterator[BookedLine]:
        yield from self.real.booked()
        self.happens()


def test_what_is_placed_and_cancelled_while_we_look_is_no_difference(exchange: Exchange, erp: Erp) -> None:
    _, ann, token = erp.order(MUG=2)
    erp.sync()

    def go_on() -> None:
        ann.post(f"/api/v1/orders/{token}/cancel")

    with erp.book.transaction():
        erp.book.cancel(1)
    erp.office.export_booked()
    report = reconcile.reconcile(replace(exchange, adapter=BusyErp(exchange, go_on)))  # type: ignore[arg-type]

    assert (report.differences, report.counts) == ([], {"on_the_way": 1})


def test_an_erp_that_shows_no_books_is_told_of(exchange: Exchange, erp: Erp) -> None:
    with pytest.raises(ErpUnavailable):
        reconcile.reconcile(exchange)
