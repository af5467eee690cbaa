"""Bad orders of steps: what SQL decided and what Redis hears may be separated by anything."""

from collections.abc import Callable

import pytest

from storefront.core.db import transaction
from storefront.stock import adjustments, keys, ledger, reservations
from storefront.stock.outcomes import HoldEnded, LimitReached
from storefront.stock.rebuild import rebuild
from storefront.stock.repair import repair
from storefront.stock.settlement import Ended, bury, follow_sql, settle_all
from storefront.stock.stockroom import Stockroom
from storefront.stock.verify import verify
from tests.stock.steps import available, bought, cancel_only, hold, let_run_out, sell, sell_only, state_of, take_only

Stocked = Callable[..., Stockroom]


def test_a_release_between_the_two_steps_of_a_sale_gives_nothing_back(stocked: Stocked) -> None:
    room = stocked(MUG=1)
    hold(room)
    sold = sell_only(room, "r1")

    reservations.release(room, "r1", "MUG")
    settle_all(room, sold)

    assert available(room) == 0
    assert verify(room, 0) == []


def test_a_repeated_click_between_the_two_steps_of_a_sale_gives_nothing_back(stocked: Stocked) -> None:
    room = stocked(MUG=1)
    adjustments.set_limit(room, "MUG", 1)
    hold(room)
    sold = sell_only(room, "r1")

    with pytest.raises(HoldEnded):
        hold(room)
    settle_all(room, sold)

    assert available(room) == 0
    assert bought(room) == 1
    assert verify(room, 0) == []


def test_a_repeated_click_after_the_sale_takes_no_second_unit_even_if_a_repair_comes_between(stocked: Stocked) -> None:
    room = stocked(MUG=2)
    adjustments.set_limit(room, "MUG", 2)
    hold(room)
    sell(room, "r1")
    assert take_only(room) == "held"

    repair(room)

    assert available(room) == 1
    assert bought(room) == 1
    assert verify(room, 0) == []


def test_a_cancellation_before_its_sale_has_reached_redis_leaves_the_limit_right(stocked: Stocked) -> None:
    room = stocked(MUG=5)
    adjustments.set_limit(room, "MUG", 2)
    hold(room, units=2)
    sold = sell_only(room, "r1")
    cancel_only(room, units=2)
    ledger.catch_up(room, ["MUG"])

    settle_all(room, sold)

    assert bought(room) == 0
    assert hold(room, units=2, id="r2")
    with pytest.raises(LimitReached):
        hold(room, id="r3")


def test_lowering_is_heard_late_and_takes_nothing_from_a_smaller_hold(stocked: Stocked) -> None:
    room = stocked(MUG=9)
    hold(room, units=5)
    reservations.shrink(room, "r1", "MUG", 1)

    settle_all(room, [Ended("r1", "MUG", staying=3)])

    assert available(room) == 8
    assert verify(room, 0) == []


def test_a_sale_heard_before_the_lowering_gives_back_the_difference(stocked: Stocked, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    room = stocked(MUG=9)
    hold(room, units=5)
    with monkeypatch.context() as patch:
        patch.setattr(reservations, "settle_all", lambda room, ended: None)
        reservations.shrink(room, "r1", "MUG", 3)

    sell(room, "r1")
    settle_all(room, [Ended("r1", "MUG", staying=3)])

    assert available(room) == 6
    assert verify(room, 0) == []


def test_a_release_before_the_row_buries_it(stocked: Stocked) -> None:
    room = stocked(MUG=5)
    take_only(room)

    assert not reservations.release(room, "r1", "MUG")

    assert available(room) == 5
    assert state_of(room) == "expired"
    with pytest.raises(HoldEnded):
        hold(room)
    assert verify(room, 0) == []


def test_a_tombstone_never_covers_a_row(stocked: Stocked) -> None:
    room = stocked(MUG=5)
    hold(room)

    with transaction(room.engine) as session:
        bury(session, "MUG", ["r1"], room.now_ms())

    assert state_of(room) == "active"
    assert follow_sql(room, "MUG", ["r1"], room.now_ms()) == {"r1": "active"}
    assert available(room) == 4


def test_redis_hears_of_a_later_deadline_it_had_missed(stocked: Stocked) -> None:
    room = stocked(MUG=5)
    deadline = int(hold(room).expires_at_ms)
    room.unfenced.zadd(keys.due("MUG"), {"r1": deadline - 60_000})

    follow_sql(room, "MUG", ["r1"], room.now_ms())

    assert room.unfenced.zscore(keys.due("MUG"), "r1") == deadline


def test_a_settlement_under_an_older_epoch_still_counts(stocked: Stocked) -> None:
    room = stocked(MUG=5)
    hold(room, units=2)
    sold = sell_only(room, "r1")
    rebuild(room)

    settle_all(room, sold)

    assert available(room) == 3
    assert verify(room, 0) == []


def test_settling_fails_silently_while_the_gate_is_closed_and_the_rebuild_makes_up_for_it(stocked: Stocked) -> None:
    room = stocked(MUG=5)
    hold(room, units=2)
    room.unfenced.script_flush()

    reservations.release(room, "r1", "MUG")
    rebuild(room)

    assert available(room) == 5
    assert verify(room, 0) == []


def test_the_sweep_and_a_release_that_both_found_the_hold_give_it_back_once(stocked: Stocked) -> None:
    room = stocked(MUG=5)
    hold(room, units=2)
    let_run_out(room, "r1")
    reservations.expire_all_due(room)

    reservations.release(room, "r1", "MUG")
    settle_all(room, [Ended("r1", "MUG")])

    assert available(room) == 5
    assert verify(room, 0) == []
