"""The ledger: numbered movements, and Redis that follows them."""

from collections.abc import Callable

import pytest
from sqlalchemy import select

from storefront.core.db import transaction
from storefront.stock import adjustments, keys, ledger, scripts
from storefront.stock.events import shortfall_raised
from storefront.stock.ledger import Change, Reason, record
from storefront.stock.models import StockMovement
from storefront.stock.outcomes import InsufficientStock, UnknownSku
from storefront.stock.rebuild import rebuild
from storefront.stock.stockroom import Stockroom
from storefront.stock.verify import verify
from tests.stock.steps import available, hold, level_row, receive_only, sell

Stocked = Callable[..., Stockroom]


def apply(room: Stockroom, number: int, units: int) -> str:
    return scripts.apply_movement(room.redis, keys.of("MUG"), "MUG", room.fence.epoch, number, units, "", 0)


def test_a_movement_out_of_turn_is_refused_and_a_repeated_one_ignored(stocked: Stocked) -> None:
    room = stocked(MUG=5)
    available(room)

    answers = [apply(room, number, 1) for number in (3, 2, 2, 1, 3)]

    assert answers == ["gap", "applied", "applied_before", "applied_before", "applied"]
    assert available(room) == 7


def test_movements_that_redis_missed_are_applied_in_their_order(stocked: Stocked) -> None:
    room = stocked(MUG=5)
    for units in (1, 2, 3):
        receive_only(room, units=units)

    assert ledger.catch_up(room, ["MUG"]) == 3
    assert ledger.catch_up(room, ["MUG"]) == 0

    assert available(room) == 11
    assert verify(room, 0) == []


def test_a_process_behind_a_rebuild_still_tells_redis(
    stocked: Stocked, other_process: Callable[..., Stockroom]
) -> None:
    room, other = stocked(MUG=5), other_process()
    assert available(other) == 5
    rebuild(room)

    adjustments.receive(other, "MUG", 3, "delivery")

    assert available(room) == 8


def test_a_level_is_the_sum_of_its_movements(stocked: Stocked) -> None:
    room = stocked(MUG=5)
    adjustments.receive(room, "MUG", 3, "delivery")
    adjustments.adjust(room, "MUG", -1, "broken")
    hold(room, units=2)
    sell(room, "r1")

    with transaction(room.engine) as session:
        movements = session.scalars(select(StockMovement).order_by(StockMovement.id)).all()

    level = level_row(room)
    assert [(one.kind, one.number) for one in movements] == [
        ("received", 1), ("received", 2), ("adjusted", None), ("committed", None)
    ]  # fmt: skip
    assert sum(one.on_hand for one in movements) == level.on_hand == 7
    assert sum(one.committed for one in movements) == level.committed == 2


def test_units_that_are_not_there_cannot_be_promised(stocked: Stocked) -> None:
    room = stocked(MUG=1)
    why = Reason("order placed", "order:1", room.now_ms())

    with pytest.raises(InsufficientStock), transaction(room.engine) as session:
        record(session, "MUG", "committed", Change(committed=2), why, held=True)

    assert level_row(room).committed == 0


def test_a_movement_of_an_unknown_sku_is_refused(room: Stockroom) -> None:
    why = Reason("delivery", "operator", room.now_ms())

    with pytest.raises(UnknownSku), transaction(room.engine) as session:
        record(session, "NOPE", "received", Change(on_hand=1), why)


def test_a_loss_of_promised_units_shows_as_a_shortfall_until_it_is_made_good(stocked: Stocked) -> None:
    room = stocked(MUG=3)
    hold(room, units=3)
    sell(room, "r1")
    raised: list[int] = []

    def hear(_sender: object, *, units: int, **_facts: object) -> None:
        raised.append(units)

    with shortfall_raised.connected_to(hear):
        adjustments.adjust(room, "MUG", -2, "fire", force=True)

    assert raised == [2]
    assert level_row(room).shortfall == 2
    assert available(room) == 0
    adjustments.receive(room, "MUG", 2, "replacement")
    assert level_row(room).shortfall == 0
    assert verify(room, 0) == []
