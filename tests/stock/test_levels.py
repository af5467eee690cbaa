"""Levels as they are read, and SKUs that Redis has never seen."""

import json
from collections.abc import Callable

import pytest

from storefront.core.db import transaction
from storefront.stock import adjustments, keys, ledger, levels, reservations
from storefront.stock.rebuild import rebuild
from storefront.stock.stockroom import Stockroom
from storefront.stock.verify import verify
from tests.stock.steps import available, hold, sell, take_only, version

Stocked = Callable[..., Stockroom]


def count_new(room: Stockroom, **units: int) -> None:
    """New SKUs in SQL alone, as an import leaves them that died before it told Redis."""
    with transaction(room.engine) as session:
        ledger.open_levels(session, units, room.now_ms())


@pytest.mark.parametrize(("units", "state"), [(0, "sold_out"), (1, "low"), (5, "low"), (6, "in_stock")])
def test_a_level_has_a_word_for_its_number(stocked: Stocked, units: int, state: str) -> None:
    room = stocked(MUG=units)

    assert levels.read(room, ["MUG"])["MUG"].state == state


def test_unknown_skus_are_left_out(stocked: Stocked) -> None:
    room = stocked(MUG=1)

    assert list(levels.read(room, ["MUG", "NOPE", "MUG"])) == ["MUG"]


def test_what_is_short_is_shown_as_nothing(stocked: Stocked) -> None:
    room = stocked(MUG=3)
    hold(room, units=3)
    adjustments.adjust(room, "MUG", -2, "fire", force=True)

    assert available(room) == 0
    assert room.unfenced.hget(keys.level("MUG"), "available") == "-2"


def test_a_new_sku_is_brought_in_by_the_first_who_looks(stocked: Stocked) -> None:
    room = stocked()
    count_new(room, NEW=7)

    assert available(room, "NEW") == 7
    assert levels.introduce(room, ["NEW"]) == 0
    assert verify(room, 0) == []


def test_a_new_sku_that_moved_before_anybody_looked_is_brought_in_as_it_is(stocked: Stocked) -> None:
    room = stocked()
    count_new(room, NEW=7)

    adjustments.receive(room, "NEW", 2, "delivery")

    assert available(room, "NEW") == 9
    assert verify(room, 0) == []


def test_a_sku_that_was_lost_is_never_brought_in_as_new(stocked: Stocked) -> None:
    room = stocked(MUG=5)
    take_only(room, units=2)
    room.unfenced.delete(keys.level("MUG"))

    assert levels.introduce(room, ["MUG"]) == 0

    assert available(room) is None


def test_bringing_in_twice_changes_nothing(stocked: Stocked, other_process: Callable[..., Stockroom]) -> None:
    room, other = stocked(), other_process()
    count_new(room, NEW=7)
    levels.introduce(room, ["NEW"])
    hold(room, sku="NEW", units=2)

    levels.introduce(other, ["NEW"])

    assert available(room, "NEW") == 5


def test_every_change_is_announced_in_the_order_of_its_version(stocked: Stocked) -> None:
    room = stocked(MUG=5)
    available(room)
    with room.unfenced.pubsub(ignore_subscribe_messages=True) as heard:
        heard.subscribe(keys.CHANNEL)
        heard.get_message(timeout=1)

        hold(room, units=2)
        reservations.shrink(room, "r1", "MUG", 1)
        reservations.release(room, "r1", "MUG")
        adjustments.receive(room, "MUG", 1, "delivery")
        hold(room, id="r2")
        sell(room, "r2")  # changes nothing that can be sold, so it is not announced

        messages = [json.loads(heard.get_message(timeout=1)["data"]) for _ in range(5)]
        assert heard.get_message(timeout=0.05) is None
    first = messages[0]["version"]
    assert [one["version"] - first for one in messages] == [0, 1, 2, 3, 4]
    assert [one["available"] for one in messages] == [3, 4, 5, 6, 5]
    assert {(one["sku"], one["epoch"]) for one in messages} == {("MUG", 1)}
    assert version(room) == messages[-1]["version"]
    assert levels.read(room, ["MUG"])["MUG"].at_ms == messages[-1]["at_ms"]


def test_the_account_adds_up(stocked: Stocked) -> None:
    room = stocked(MUG=9)
    hold(room, units=2)
    hold(room, units=3, id="r2")
    sell(room, "r2")

    (account,) = levels.accounts(room, ["MUG"])

    assert (account.available, account.reserved, account.committed, account.unavailable) == (4, 2, 3, 0)
    assert account.on_hand == 9


def test_accounts_know_what_sql_knows_while_redis_is_being_checked(stocked: Stocked) -> None:
    room = stocked(MUG=9)
    hold(room, units=2)
    room.unfenced.flushall()

    (account,) = levels.accounts(room)

    assert (account.on_hand, account.available, account.reserved) == (9, None, 2)
    rebuild(room)
