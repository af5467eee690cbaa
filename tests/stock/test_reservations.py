"""The verbs of a reservation, one shopper after the other."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import update

from storefront.core.db import transaction
from storefront.stock import adjustments, keys, reservations
from storefront.stock.models import Reservation
from storefront.stock.outcomes import (
    AlreadyHeld,
    ExtensionLimit,
    HoldEnded,
    HoldExpired,
    InsufficientStock,
    SoldOut,
    UnknownSku,
)
from storefront.stock.settlement import move_deadline
from storefront.stock.stockroom import Stockroom
from storefront.stock.verify import verify
from tests.stock.steps import available, hold, let_run_out, sell, sell_only, state_of, take_only, version

Stocked = Callable[..., Stockroom]


def deadline_in_redis(room: Stockroom, id: str = "r1", sku: str = "MUG") -> int:
    return int(room.unfenced.zscore(keys.due(sku), id))  # type: ignore[arg-type]


def facts_of(refusal: pytest.ExceptionInfo[Any]) -> tuple[int, int]:
    return refusal.value.facts["available"], refusal.value.facts["version"]


def test_a_reservation_takes_units_and_says_until_when(stocked: Stocked) -> None:
    room = stocked(MUG=5)
    before_ms = room.now_ms()

    held = hold(room, units=2)

    assert (held.units, held.units_of_shopper, held.level.available) == (2, 2, 3)
    assert before_ms + room.hold_ms <= held.expires_at_ms <= room.now_ms() + room.hold_ms
    assert held.level.version == version(room)
    assert verify(room, 0) == []


def test_reserving_again_with_the_same_id_takes_nothing_more(stocked: Stocked) -> None:
    room = stocked(MUG=5)
    first = hold(room, units=2)

    again = hold(room, units=2)

    assert again == first
    assert available(room) == 3


def test_a_late_duplicate_after_the_release_takes_nothing_and_gives_nothing(stocked: Stocked) -> None:
    room = stocked(MUG=5)
    hold(room, units=2)
    reservations.release(room, "r1", "MUG")

    with pytest.raises(HoldEnded):
        hold(room, units=2)

    assert available(room) == 5
    assert state_of(room) == "released"
    assert verify(room, 0) == []


def test_all_units_or_none(stocked: Stocked) -> None:
    room = stocked(MUG=5)

    with pytest.raises(InsufficientStock) as refusal:
        hold(room, units=6)

    assert facts_of(refusal) == (5, version(room))
    assert available(room) == 5


def test_sold_out_says_so_with_the_version(stocked: Stocked) -> None:
    room = stocked(MUG=1)
    hold(room)

    with pytest.raises(SoldOut) as refusal:
        hold(room, shopper="bob", id="r2")

    assert facts_of(refusal) == (0, version(room))
    assert state_of(room, "r2") is None


def test_an_unknown_sku_is_refused(room: Stockroom) -> None:
    with pytest.raises(UnknownSku):
        hold(room, sku="NOPE")


def test_two_tabs_that_saw_nothing_held_hold_once(stocked: Stocked) -> None:
    room = stocked(MUG=5)
    first_tab = {"shopper": "ann", "sku": "MUG", "units": 1, "seen": 0}
    reservations.reserve(room, reservation_id="r1", **first_tab)  # type: ignore[arg-type]

    second_tab = reservations.reserve(room, reservation_id="r2", **first_tab)  # type: ignore[arg-type]

    assert isinstance(second_tab, AlreadyHeld)
    assert second_tab.units_of_shopper == 1
    assert available(room) == 4


def test_a_page_that_saw_what_is_held_adds_to_it(stocked: Stocked) -> None:
    room = stocked(MUG=5)
    hold(room)

    more = reservations.reserve(room, shopper="ann", sku="MUG", units=2, reservation_id="r2", seen=1)

    assert more.units_of_shopper == 3


def test_extending_moves_the_deadline_in_sql_and_redis(stocked: Stocked) -> None:
    room = stocked(MUG=5)
    hold(room)
    longer = replace(room, hold_ms=2 * room.hold_ms)

    deadline = reservations.extend(longer, "r1", "MUG")

    assert deadline >= longer.now_ms() + longer.hold_ms - 5_000
    assert deadline_in_redis(room) == deadline


def test_an_earlier_deadline_never_overtakes_a_later_one_in_redis(stocked: Stocked) -> None:
    room = stocked(MUG=5)
    deadline = hold(room).expires_at_ms

    move_deadline(room, "MUG", "r1", deadline - 5_000)

    assert deadline_in_redis(room) == deadline


def test_an_expired_hold_cannot_be_extended_even_before_the_sweep(stocked: Stocked) -> None:
    room = stocked(MUG=5)
    hold(room)
    let_run_out(room, "r1")

    with pytest.raises(HoldExpired):
        reservations.extend(room, "r1", "MUG")


def test_a_hold_can_be_extended_only_so_often(stocked: Stocked) -> None:
    room = stocked(MUG=5)
    hold(room)
    for _ in range(reservations.MOST_EXTENSIONS):
        reservations.extend(room, "r1", "MUG")

    with pytest.raises(ExtensionLimit):
        reservations.extend(room, "r1", "MUG")


def test_a_refused_click_renews_nothing(stocked: Stocked) -> None:
    room = stocked(MUG=1)
    deadline = hold(room).expires_at_ms

    with pytest.raises(SoldOut):
        hold(room, id="r2")

    assert deadline_in_redis(room) == deadline


def test_releasing_twice_gives_units_back_once(stocked: Stocked) -> None:
    room = stocked(MUG=5)
    hold(room, units=2)

    ended = [reservations.release(room, "r1", "MUG") for _ in range(2)]

    assert ended == [True, False]
    assert available(room) == 5
    assert verify(room, 0) == []


def test_a_release_after_the_sale_gives_nothing_back(stocked: Stocked) -> None:
    room = stocked(MUG=5)
    hold(room, units=2)
    sell(room, "r1")

    assert not reservations.release(room, "r1", "MUG")

    assert available(room) == 3
    assert state_of(room) == "sold"


def test_lowering_gives_the_difference_back(stocked: Stocked) -> None:
    room = stocked(MUG=5)
    hold(room, units=4)

    assert reservations.shrink(room, "r1", "MUG", 1)
    assert not reservations.shrink(room, "r1", "MUG", 3)

    assert available(room) == 4
    assert verify(room, 0) == []


def test_a_lowered_hold_gives_only_its_rest_back(stocked: Stocked) -> None:
    room = stocked(MUG=5)
    hold(room, units=4)
    reservations.shrink(room, "r1", "MUG", 1)

    reservations.release(room, "r1", "MUG")

    assert available(room) == 5
    assert verify(room, 0) == []


def test_expiry_gives_units_back_once_and_on_time(stocked: Stocked) -> None:
    room = stocked(MUG=5)
    hold(room, units=2)
    hold(room, id="r2")
    let_run_out(room, "r1", by_ms=1)

    assert reservations.expire_all_due(room) == 1
    assert reservations.expire_all_due(room) == 0

    assert available(room) == 4
    assert (state_of(room, "r1"), state_of(room, "r2")) == ("expired", "active")
    assert verify(room, 0) == []


def test_expiry_works_through_more_than_one_slice(stocked: Stocked) -> None:
    room = stocked(MUG=500)
    ids = [f"r{number}" for number in range(230)]
    rows = [
        {"id": id, "shopper": "ann", "sku": "MUG", "units": 1, "state": "active", "created_at_ms": 0,
         "expires_at_ms": 1, "extensions": 0}
        for id in ids
    ]  # fmt: skip
    with transaction(room.engine) as session:
        session.execute(Reservation.__table__.insert(), rows)

    assert reservations.expire_all_due(room, seconds=30) == 230


def test_a_sale_takes_all_of_its_holds_or_none(stocked: Stocked) -> None:
    room = stocked(MUG=5, CAP=5)
    hold(room)
    hold(room, sku="CAP", id="r2")
    let_run_out(room, "r2")

    with pytest.raises(HoldExpired) as refusal:
        sell_only(room, "r1", "r2")

    assert refusal.value.facts["sku"] == "CAP"
    assert state_of(room, "r1") == "active"


def test_a_sale_moves_units_from_reserved_to_committed(stocked: Stocked) -> None:
    room = stocked(MUG=5)
    hold(room, units=2)

    sell(room, "r1")

    assert available(room) == 3
    assert room.unfenced.hlen(keys.holds("MUG")) == 0
    assert verify(room, 0) == []


def test_a_sale_of_units_that_are_gone_is_refused_by_the_guard(stocked: Stocked) -> None:
    room = stocked(MUG=1)
    hold(room)
    adjustments.adjust(room, "MUG", -1, "stolen", force=True)

    with pytest.raises(InsufficientStock):
        sell_only(room, "r1")

    assert state_of(room) == "active"


def test_the_deadline_itself_is_too_late_for_a_sale(stocked: Stocked) -> None:
    room = stocked(MUG=1)
    hold(room)
    now_ms = room.now_ms()
    with transaction(room.engine) as session:
        session.execute(update(Reservation).values(expires_at_ms=now_ms))

    with pytest.raises(HoldExpired), transaction(room.engine) as session:
        reservations.sell(session, ["r1"], "order:1", now_ms)


def test_a_click_that_comes_again_after_its_deadline_is_not_told_that_it_holds(stocked: Stocked) -> None:
    room = stocked(MUG=5)
    hold(room)
    let_run_out(room, "r1")  # and the sweep has not come by yet

    with pytest.raises(HoldEnded):
        hold(room)


def test_the_row_of_a_click_is_not_written_once_its_deadline_is_over(stocked: Stocked) -> None:
    room = stocked(MUG=5)
    take_only(room)
    room.unfenced.zadd(keys.due("MUG"), {"r1": room.now_ms() - 60_000})

    with pytest.raises(HoldEnded):
        hold(room)
