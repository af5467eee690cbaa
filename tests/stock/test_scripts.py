"""The scripts themselves: keys, slots, and what they do on a Redis that is full."""

from collections.abc import Callable, Iterator

import pytest
from redis.crc import key_slot
from redis.exceptions import RedisError

from storefront.core.lua import Script
from storefront.stock import adjustments, keys, reservations, scripts
from storefront.stock.outcomes import StockChecking
from storefront.stock.rebuild import rebuild
from storefront.stock.stockroom import Stockroom
from storefront.stock.verify import verify
from tests.stock.steps import available, hold

Stocked = Callable[..., Stockroom]


def test_all_keys_of_a_sku_share_a_slot() -> None:
    slots = {key_slot(key.encode()) for key in keys.of("T-Shirt {red} / ü")}

    assert len(slots) == 1


@pytest.mark.parametrize("script", scripts.ALL, ids=lambda script: script.path.stem)
def test_each_script_opens_with_purpose_keys_arguments_and_answer(script: Script) -> None:
    lines = script.path.read_text().splitlines()
    header = "\n".join(lines[: next(n for n, line in enumerate(lines) if not line.startswith("--"))])

    assert header.startswith("-- ")
    assert all(word in header for word in ("KEYS", "ARGV", "RETURN"))


def test_a_script_is_never_loaded_on_demand(stocked: Stocked) -> None:
    room = stocked(MUG=5)
    room.unfenced.script_flush()

    with pytest.raises(StockChecking):
        hold(room)

    assert not any(room.unfenced.script_exists(*(script.sha for script in scripts.ALL)))


def test_skus_of_any_spelling_are_counted_and_announced(stocked: Stocked) -> None:
    sku = 'T-Shirt {red} "L": ü'
    room = stocked(**{sku: 5})

    hold(room, sku=sku, shopper="a:b:c", units=2)
    reservations.shrink(room, "r1", sku, 1)

    assert available(room, sku) == 4
    assert room.unfenced.hgetall(keys.held(sku)) == {"a:b:c": "1"}
    assert verify(room, 0) == []


@pytest.fixture
def full_room(own_room: Stockroom) -> Iterator[Stockroom]:
    """A stockroom with a hold, on a Redis that has no memory left."""
    hold(own_room, units=2)
    adjustments.set_limit(own_room, "MUG", 3)
    own_room.unfenced.config_set("maxmemory", "1")
    yield own_room
    own_room.unfenced.config_set("maxmemory", "0")


def test_a_full_redis_refuses_a_reservation_whole(full_room: Stockroom) -> None:
    with pytest.raises(RedisError):
        hold(full_room, id="r2")

    full_room.unfenced.config_set("maxmemory", "0")
    assert available(full_room) == 3
    assert verify(full_room, 0) == []


def test_a_full_redis_still_takes_units_back(full_room: Stockroom) -> None:
    reservations.shrink(full_room, "r1", "MUG", 1)
    assert available(full_room) == 4

    reservations.release(full_room, "r1", "MUG")

    assert available(full_room) == 5
    assert verify(full_room, 0) == []


def test_a_full_redis_hears_of_a_receipt_later(full_room: Stockroom) -> None:
    adjustments.receive(full_room, "MUG", 3, "delivery")

    full_room.unfenced.config_set("maxmemory", "0")
    rebuild(full_room)
    assert available(full_room) == 6
