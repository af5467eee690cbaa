"""What an operator does to the stock, while shoppers hold some of it."""

from collections.abc import Callable

import pytest
from sqlalchemy import func, select, update

from storefront.core.db import transaction
from storefront.stock import adjustments, intake
from storefront.stock.models import StockMovement
from storefront.stock.outcomes import BelowPromised, LimitReached, UnknownSku
from storefront.stock.rebuild import rebuild
from storefront.stock.stockroom import Stockroom
from storefront.stock.verify import verify
from tests.stock.steps import available, hold, let_run_out, level_row, sell

Stocked = Callable[..., Stockroom]


def movements(room: Stockroom) -> int:
    with transaction(room.engine) as session:
        return session.scalar(select(func.count(StockMovement.id))) or 0


def backdate_all(room: Stockroom, ms: int) -> None:
    with transaction(room.engine) as session:
        session.execute(update(StockMovement).values(created_at_ms=StockMovement.created_at_ms - ms))


def test_received_units_can_be_sold_at_once_while_others_are_held(stocked: Stocked) -> None:
    room = stocked(MUG=2)
    hold(room, units=2)

    adjustments.receive(room, "MUG", 3, "delivery")

    assert hold(room, shopper="bob", units=3, id="r2").level.available == 0
    assert verify(room, 0) == []


def test_a_receipt_while_the_gate_is_closed_counts_once_and_is_not_called_a_failure(stocked: Stocked) -> None:
    room = stocked(MUG=2)
    room.unfenced.script_flush()

    adjustments.receive(room, "MUG", 3, "delivery")

    rebuild(room)
    assert available(room) == 5


def test_free_units_can_be_taken_away(stocked: Stocked) -> None:
    room = stocked(MUG=5)
    hold(room, units=2)

    adjustments.adjust(room, "MUG", -3, "broken")

    assert available(room) == 0
    assert level_row(room).on_hand == 2
    assert verify(room, 0) == []


def test_promised_units_are_not_taken_away(stocked: Stocked) -> None:
    room = stocked(MUG=5)
    hold(room, units=2)
    hold(room, units=1, id="r2")
    sell(room, "r2")

    with pytest.raises(BelowPromised) as refusal:
        adjustments.adjust(room, "MUG", -3, "broken")

    assert refusal.value.facts["available"] == 2
    assert level_row(room).on_hand == 5
    assert available(room) == 2
    assert verify(room, 0) == []


def test_a_forced_loss_counts_and_the_shortfall_is_visible(stocked: Stocked) -> None:
    room = stocked(MUG=5)
    hold(room, units=4)
    sell(room, "r1")

    adjustments.adjust(room, "MUG", -3, "fire", force=True)

    level = level_row(room)
    assert (level.on_hand, level.committed, level.shortfall) == (2, 4, 2)
    assert available(room) == 0
    assert verify(room, 0) == []


def test_a_limit_does_not_bind_the_shop_itself(stocked: Stocked) -> None:
    room = stocked(MUG=5)
    adjustments.set_limit(room, "MUG", 1)

    adjustments.adjust(room, "MUG", -3, "broken")

    assert available(room) == 2
    assert verify(room, 0) == []


def test_a_count_keeps_what_moved_after_it(stocked: Stocked) -> None:
    room = stocked(MUG=5)
    backdate_all(room, 10_000)
    counted_at_ms = room.now_ms() - 5_000
    adjustments.receive(room, "MUG", 10, "delivery after the count")

    delta = adjustments.count(room, "MUG", 4, counted_at_ms)

    assert delta == -1
    assert level_row(room).on_hand == 14
    assert available(room) == 14
    assert verify(room, 0) == []


def test_a_count_while_units_are_held_and_ordered_changes_only_what_is_free(stocked: Stocked) -> None:
    room = stocked(MUG=5)
    hold(room)
    hold(room, units=2, id="r2")
    sell(room, "r2")

    adjustments.count(room, "MUG", 7, room.now_ms())

    assert available(room) == 4
    assert verify(room, 0) == []


def test_a_count_that_finds_what_was_known_is_on_record_and_changes_nothing(stocked: Stocked) -> None:
    room = stocked(MUG=5)
    before = movements(room)

    assert adjustments.count(room, "MUG", 5, room.now_ms()) == 0

    assert movements(room) == before + 1
    assert verify(room, 0) == []


def test_a_lowered_limit_binds_at_once_and_takes_nothing_away(stocked: Stocked) -> None:
    room = stocked(MUG=9)
    hold(room, units=4)

    adjustments.set_limit(room, "MUG", 2)

    assert available(room) == 5
    with pytest.raises(LimitReached):
        hold(room, id="r2")
    adjustments.set_limit(room, "MUG", None)
    assert hold(room, id="r3")


def test_operators_are_told_of_unknown_skus(room: Stockroom) -> None:
    for change in (
        lambda: adjustments.receive(room, "NOPE", 1, "x"),
        lambda: adjustments.adjust(room, "NOPE", -1, "x"),
        lambda: adjustments.count(room, "NOPE", 1, 0),
        lambda: adjustments.set_limit(room, "NOPE", 1),
    ):
        with pytest.raises(UnknownSku):
            change()


def test_an_adjustment_that_died_halfway_gives_its_units_back(
    stocked: Stocked, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = stocked(MUG=5)

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("database gone")

    monkeypatch.setattr(adjustments, "record", fail)

    with pytest.raises(RuntimeError):
        adjustments.adjust(room, "MUG", -2, "broken")

    assert available(room) == 5
    assert verify(room, 0) == []


def test_an_import_counts_new_skus_and_leaves_the_others_alone(stocked: Stocked) -> None:
    room = stocked(MUG=5)
    hold(room)

    with transaction(room.engine) as session:
        intake.take_in(room, session, {"MUG": 99, "NEW": 3}, set_stock=False)

    assert (available(room), available(room, "NEW")) == (4, 3)
    assert verify(room, 0) == []


def test_an_import_that_sets_the_stock_adjusts_by_the_difference(stocked: Stocked) -> None:
    room = stocked(MUG=5)
    hold(room)
    let_run_out(room)

    with transaction(room.engine) as session:
        intake.take_in(room, session, {"MUG": 7}, set_stock=True)

    assert available(room) == 6
    assert verify(room, 0) == []
