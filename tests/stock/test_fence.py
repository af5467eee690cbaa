"""The fence: a Redis that lost its memory, or found an older one, sells nothing until it is rebuilt."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from redis.exceptions import RedisError

from storefront.core.embedded_redis import EmbeddedRedis
from storefront.stock import keys, levels, scripts
from storefront.stock.outcomes import StockChecking
from storefront.stock.rebuild import is_open, rebuild, rebuild_if_closed
from storefront.stock.stockroom import Stockroom
from storefront.stock.verify import verify
from tests.stock.steps import available, hold, state_of, version

Stocked = Callable[..., Stockroom]


def lose_everything(room: Stockroom) -> None:
    room.unfenced.flushall()


def lose_one_counter(room: Stockroom) -> None:
    room.unfenced.delete(keys.level("MUG"))


def lose_scripts(room: Stockroom) -> None:
    room.unfenced.script_flush()


@pytest.mark.parametrize("lose", [lose_everything, lose_one_counter, lose_scripts])
def test_a_loss_closes_the_gate_and_the_rebuild_opens_it(stocked: Stocked, lose: Callable[[Stockroom], None]) -> None:
    room = stocked(MUG=5)
    hold(room, units=2)
    before = version(room)

    lose(room)

    assert available(room) is None
    with pytest.raises(StockChecking):
        hold(room, id="r2")
    assert rebuild_if_closed(room, "MUG") == 2
    assert available(room) == 3
    assert version(room) > before
    assert hold(room, id="r2").level.available == 2
    assert verify(room, 0) == []


def test_whoever_finds_the_gate_closed_calls_for_a_rebuild(stocked: Stocked) -> None:
    calls: list[str] = []
    room = replace(stocked(MUG=5), on_closed=lambda room, sku: calls.append(sku))
    lose_one_counter(room)

    available(room)
    with pytest.raises(StockChecking):
        hold(room)

    assert calls == ["MUG", "MUG"]


def test_an_open_gate_needs_no_rebuild(stocked: Stocked) -> None:
    room = stocked(MUG=5)

    assert rebuild_if_closed(room, "MUG") is None
    assert is_open(room)


def test_a_process_that_is_only_behind_catches_up_without_a_rebuild(
    stocked: Stocked, other_process: Callable[..., Stockroom]
) -> None:
    calls: list[str] = []
    room = stocked(MUG=5)
    other = other_process(on_closed=lambda room, sku: calls.append(sku))
    hold(other)

    rebuild(room)

    assert hold(other, id="r2").level.epoch == 2
    assert available(other) == 3
    assert calls == []


def test_a_reservation_of_an_older_epoch_is_refused_by_the_journal_and_taken_anew(
    stocked: Stocked, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = stocked(MUG=5)
    write = room.journal.write
    states: list[str] = []

    def write_after_a_rebuild(entry: object) -> str:
        if not states:
            rebuild(room)
        states.append(write(entry))  # type: ignore[arg-type]
        return states[-1]

    monkeypatch.setattr(room.journal, "write", write_after_a_rebuild)

    held = hold(room, units=2)

    assert states == ["stale", "active"]
    assert (held.level.epoch, available(room)) == (2, 3)
    assert verify(room, 0) == []


def restart(server: EmbeddedRedis) -> None:
    server.close()
    server.start()


def test_a_redis_that_restarted_is_not_trusted_although_it_kept_its_data(
    own_room: Stockroom, own_redis: EmbeddedRedis
) -> None:
    hold(own_room, units=2)

    restart(own_redis)

    assert available(own_room) is None
    with pytest.raises((StockChecking, RedisError)):
        hold(own_room, id="r2")
    assert rebuild_if_closed(own_room)
    assert available(own_room) == 3
    assert verify(own_room, 0) == []


def test_a_redis_that_restarted_empty_is_filled_from_sql(own_room: Stockroom, own_redis: EmbeddedRedis) -> None:
    hold(own_room, units=2)
    own_redis.close()
    for path in own_redis.directory.glob("*appendonly*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    own_redis.start()

    assert available(own_room) is None
    assert rebuild_if_closed(own_room)

    assert hold(own_room).units == 2
    assert available(own_room) == 3
    assert verify(own_room, 0) == []


def test_a_redis_restored_from_an_older_copy_sells_nothing_twice(
    own_room: Stockroom, own_redis: EmbeddedRedis, tmp_path: Path
) -> None:
    own_redis.close()
    copy = shutil.copytree(own_redis.directory, tmp_path / "copy")
    own_redis.start()
    rebuild(own_room)
    hold(own_room, units=5)
    own_redis.close()
    shutil.copytree(copy, own_redis.directory, dirs_exist_ok=True)
    own_redis.start()
    assert own_room.unfenced.hget(keys.level("MUG"), "available") == "5"

    with pytest.raises((StockChecking, RedisError)):
        hold(own_room, shopper="bob", id="r2")

    assert state_of(own_room, "r2") is None
    assert rebuild_if_closed(own_room)
    assert available(own_room) == 0
    assert verify(own_room, 0) == []


def test_an_older_copy_with_all_scripts_loaded_is_still_refused(own_room: Stockroom, own_redis: EmbeddedRedis) -> None:
    restart(own_redis)
    for script in scripts.ALL:
        own_room.unfenced.script_load(script.source)

    assert available(own_room) is None
    assert not is_open(own_room)


def test_numbers_stay_hidden_while_redis_is_away(own_room: Stockroom, own_redis: EmbeddedRedis) -> None:
    own_redis.close()

    level = levels.read(own_room, ["MUG"])["MUG"]

    assert (level.available, level.state) == (None, "checking")
    with pytest.raises(RedisError):
        hold(own_room)
    own_redis.start()
    rebuild(own_room)
    assert available(own_room) == 5
