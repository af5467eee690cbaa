"""The repair: each place where a process may die, and what becomes of it."""

from collections.abc import Callable

import pytest
from sqlalchemy import update

from storefront.core.db import transaction
from storefront.stock import adjustments, keys, ledger, reservations
from storefront.stock.models import Reservation, StockMovement
from storefront.stock.outcomes import HoldEnded
from storefront.stock.rebuild import rebuild, rebuild_if_closed
from storefront.stock.repair import repair
from storefront.stock.stockroom import Stockroom
from storefront.stock.verify import verify
from tests.stock.steps import (
    available,
    bought,
    cancel_only,
    hold,
    let_run_out,
    receive_only,
    sell_only,
    state_of,
    take_only,
)

Stocked = Callable[..., Stockroom]
HOUR_MS = 3_600_000


def run_out_in_redis(room: Stockroom, id: str = "r1") -> None:
    room.unfenced.zadd(keys.due("MUG"), {id: room.now_ms() - 10_000})


def let_pass(room: Stockroom, ms: int) -> None:
    """All holds, and the last repair, are older by so much."""
    for sku in ("MUG", "CAP"):
        for id in room.unfenced.zrange(keys.due(sku), 0, -1):
            room.unfenced.zincrby(keys.due(sku), -ms, str(id))
    room.unfenced.set(keys.REPAIRED_AT, int(room.unfenced.get(keys.REPAIRED_AT) or 0) - ms)


def worker_was_off(room: Stockroom, ms: int) -> None:
    """All that is in SQL and in the repair's mark happened `ms` ago."""
    room.unfenced.set(keys.REPAIRED_AT, room.now_ms() - ms - 1)
    with transaction(room.engine) as session:
        session.execute(update(StockMovement).values(created_at_ms=StockMovement.created_at_ms - ms + 10_000))
        session.execute(update(Reservation).values(ended_at_ms=Reservation.ended_at_ms - ms + 10_000))


def test_a_process_that_died_before_the_journal_is_buried_and_its_units_come_back(stocked: Stocked) -> None:
    room = stocked(MUG=5)
    take_only(room, units=2)
    run_out_in_redis(room)

    assert repair(room)["orphans"] == 1

    assert available(room) == 5
    assert state_of(room) == "expired"
    assert verify(room, 0) == []


def test_it_is_buried_ten_seconds_after_it_took_the_units_and_not_only_at_its_deadline(stocked: Stocked) -> None:
    room = stocked(MUG=5)
    hold(room, id="known")
    take_only(room, units=2, id="orphan")
    let_pass(room, 10_000)

    assert repair(room)["orphans"] == 1

    assert available(room) == 4
    assert (state_of(room, "known"), state_of(room, "orphan")) == ("active", "expired")
    assert verify(room, 0) == []


def test_however_many_there_are_each_is_buried(stocked: Stocked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storefront.stock.repair.HOLDS_PER_CALL", 2)
    room = stocked(MUG=9, CAP=9)
    for number in range(5):
        take_only(room, "MUG", id=f"mug-{number}")
        take_only(room, "CAP", id=f"cap-{number}")
    let_pass(room, 10_000)

    repair(room)

    assert (available(room, "MUG"), available(room, "CAP")) == (9, 9)


def test_the_late_row_of_a_buried_hold_fails(stocked: Stocked) -> None:
    room = stocked(MUG=5)
    take_only(room, units=2)
    run_out_in_redis(room)
    repair(room)

    with pytest.raises(HoldEnded):
        hold(room, units=2)

    assert available(room) == 5


def test_a_hold_before_its_deadline_is_left_alone(stocked: Stocked) -> None:
    room = stocked(MUG=5)
    take_only(room, units=2)

    repair(room)

    assert available(room) == 3
    assert state_of(room) is None


def test_a_process_that_died_after_sql_let_go_is_finished(stocked: Stocked) -> None:
    room = stocked(MUG=5)
    hold(room, units=2)
    with transaction(room.engine) as session:
        reservations.end(session, ["r1"], "released", room.now_ms())

    repair(room)

    assert available(room) == 5
    assert verify(room, 0) == []


def test_a_process_that_died_after_lowering_is_finished(stocked: Stocked, monkeypatch: pytest.MonkeyPatch) -> None:
    room = stocked(MUG=5)
    hold(room, units=4)
    with monkeypatch.context() as patch:
        patch.setattr(reservations, "settle_all", lambda room, ended: None)
        reservations.shrink(room, "r1", "MUG", 1)

    repair(room)

    assert available(room) == 4
    assert verify(room, 0) == []


def test_a_process_that_died_after_the_sale_is_finished_and_gives_nothing_back(stocked: Stocked) -> None:
    room = stocked(MUG=5)
    adjustments.set_limit(room, "MUG", 3)
    hold(room, units=2)
    sell_only(room, "r1")

    repair(room)
    repair(room)

    assert (available(room), bought(room)) == (3, 2)
    assert verify(room, 0) == []


def test_a_process_that_died_after_cancelling_is_finished(stocked: Stocked) -> None:
    room = stocked(MUG=5)
    hold(room, units=2)
    sell_only(room, "r1")
    cancel_only(room, units=2)

    repair(room)

    assert available(room) == 5
    assert verify(room, 0) == []


def test_a_process_that_died_after_extending_keeps_its_later_deadline(
    stocked: Stocked, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = stocked(MUG=5)
    hold(room)
    with monkeypatch.context() as patch:
        patch.setattr(reservations, "move_deadline", lambda *_: None)
        deadline = reservations.extend(room, "r1", "MUG")
    run_out_in_redis(room)

    repair(room)

    assert room.unfenced.zscore(keys.due("MUG"), "r1") == deadline
    assert available(room) == 4


def test_an_overdue_hold_that_the_sweep_has_not_reached_waits_for_it(stocked: Stocked) -> None:
    room = stocked(MUG=5)
    hold(room)
    let_run_out(room, "r1")

    repair(room)
    assert available(room) == 4

    reservations.expire_all_due(room)
    assert available(room) == 5


def test_what_was_missed_while_the_worker_was_off_for_an_hour_is_made_up_for(stocked: Stocked) -> None:
    room = stocked(MUG=5)
    hold(room, units=2)
    receive_only(room, units=4)
    with transaction(room.engine) as session:
        reservations.end(session, ["r1"], "released", room.now_ms())
    worker_was_off(room, HOUR_MS)

    repair(room)

    assert available(room) == 9
    assert verify(room, 0) == []


def test_a_worker_that_is_behind_a_rebuild_still_replays_movements(
    stocked: Stocked, other_process: Callable[..., Stockroom]
) -> None:
    room, worker = stocked(MUG=5), other_process()
    repair(worker)
    rebuild(room)
    receive_only(room, units=3)

    assert rebuild_if_closed(worker) is None
    assert repair(worker)["applied"] == 1

    assert available(room) == 8


def test_a_deadline_whose_hold_is_gone_is_cleared_away(stocked: Stocked) -> None:
    room = stocked(MUG=5)
    room.unfenced.zadd(keys.due("MUG"), {"ghost": 1})

    repair(room)

    assert room.unfenced.zcard(keys.due("MUG")) == 0


def test_a_repair_that_found_redis_away_looks_again_at_the_same_time_span(
    stocked: Stocked, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = stocked(MUG=5)
    receive_only(room, units=4)
    mark = room.unfenced.get(keys.REPAIRED_AT)

    def away(*_: object) -> None:
        raise ConnectionError

    with monkeypatch.context() as patch:
        patch.setattr(ledger, "_apply", away)
        with pytest.raises(ConnectionError):
            repair(room)

    assert room.unfenced.get(keys.REPAIRED_AT) == mark
