"""The proof: it names each kind of drift, and nothing where all is well."""

from collections.abc import Callable

import pytest
from sqlalchemy import text

from storefront.core.db import transaction
from storefront.core.errors import Unavailable
from storefront.stock import adjustments, keys
from storefront.stock.stockroom import Stockroom
from storefront.stock.verify import verify
from tests.stock.steps import hold, sell, take_only

Stocked = Callable[..., Stockroom]


@pytest.fixture
def busy_room(stocked: Stocked) -> Stockroom:
    """A stockroom with a hold, an order and a limit on MUG, and CAP beside it."""
    room = stocked(MUG=9, CAP=4)
    adjustments.set_limit(room, "MUG", 5)
    hold(room, units=2)
    hold(room, units=1, id="r2")
    sell(room, "r2")
    return room


def sql(room: Stockroom, statement: str) -> None:
    with transaction(room.engine) as session:
        session.execute(text(statement))


def found(room: Stockroom) -> list[str]:
    drifts = verify(room, 0)
    assert {drift.sku for drift in drifts} <= {"MUG"}
    return [drift.what for drift in drifts]


def test_nothing_is_found_where_all_is_well(busy_room: Stockroom) -> None:
    assert verify(busy_room, 0) == []


AGAINST_LEVEL = "{}: the ledger's sum against the level"
AVAILABLE = "available: on hand - unavailable - committed - active"


@pytest.mark.parametrize(
    ("plant", "names"),
    [
        (lambda r: r.hincrby(keys.level("MUG"), "available", 1), {AVAILABLE}),
        (lambda r: r.hdel(keys.level("MUG"), "available"), {"available: the counter is missing"}),
        (lambda r: r.delete(keys.level("MUG")), {"available: the counter is missing"}),
        (lambda r: r.hincrby(keys.level("MUG"), "number", -1), {"movements applied"}),
        (
            lambda r: r.hdel(keys.holds("MUG"), "r1"),
            {
                "units in active reservations",
                "active reservations that Redis does not hold",
                "holds of other units than in SQL",
                "holds without a deadline, or deadlines without a hold",
            },
        ),
        (
            lambda r: r.hset(keys.holds("MUG"), "r1", "3:1:ann"),
            {"units in active reservations", "holds of other units than in SQL"},
        ),
        (lambda r: r.zrem(keys.due("MUG"), "r1"), {"holds without a deadline, or deadlines without a hold"}),
        (lambda r: r.hincrby(keys.held("MUG"), "ann", 1), {"shoppers whose held units are miscounted"}),
        (lambda r: r.hdel(keys.bought("MUG"), "ann"), {"shoppers whose bought units are miscounted"}),
    ],
)
def test_drift_in_redis_is_named(busy_room: Stockroom, plant: Callable[[object], object], names: set[str]) -> None:
    plant(busy_room.unfenced)

    assert set(found(busy_room)) == names


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ("UPDATE stock_levels SET on_hand = on_hand + 1 WHERE sku = 'MUG'", AGAINST_LEVEL.format("on_hand")),
        ("UPDATE stock_levels SET committed = 0 WHERE sku = 'MUG'", AGAINST_LEVEL.format("committed")),
        ("UPDATE stock_levels SET unavailable = 2 WHERE sku = 'MUG'", AGAINST_LEVEL.format("unavailable")),
        ("UPDATE stock_levels SET number = 9 WHERE sku = 'MUG'", AGAINST_LEVEL.format("movements")),
        ("UPDATE stock_levels SET shortfall = 3 WHERE sku = 'MUG'", "shortfall"),
        ("DELETE FROM stock_movements WHERE sku = 'MUG' AND kind = 'received'", AGAINST_LEVEL.format("on_hand")),
        ("UPDATE reservations SET units = 1 WHERE id = 'r1'", "units in active reservations"),
        ("UPDATE reservations SET state = 'released' WHERE id = 'r1'", "holds that are not active in SQL"),
    ],
)  # fmt: skip
def test_drift_in_sql_is_named(busy_room: Stockroom, statement: str, name: str) -> None:
    sql(busy_room, statement)

    assert name in found(busy_room)


def test_the_figures_are_told(busy_room: Stockroom) -> None:
    busy_room.unfenced.hset(keys.level("MUG"), "available", 8)

    (drift,) = verify(busy_room, 0)

    assert (drift.sku, drift.expected, drift.found) == ("MUG", 6, 8)


def test_a_hold_on_its_way_to_the_journal_is_waited_for(stocked: Stocked) -> None:
    room = stocked(MUG=5)
    take_only(room)

    assert [drift.what for drift in verify(room, 0)] != []
    hold(room)

    assert verify(room, 0) == []


def test_a_closed_gate_proves_nothing(busy_room: Stockroom) -> None:
    busy_room.unfenced.script_flush()

    with pytest.raises(Unavailable):
        verify(busy_room, 0)
