"""The relay: at once when quiet, at most once per interval when not, the last value always."""

import json
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import pytest

from storefront.stock import keys, reservations
from storefront.stock.rebuild import rebuild
from storefront.stock.stockroom import Stockroom
from tests.live.conftest import RunningRelay, wait_until

pytestmark = pytest.mark.only_on("sqlite")  # SQL has no part in it

Start = Callable[..., RunningRelay]
Stock = Callable[..., Stockroom]


def reserve(room: Stockroom, sku: str, number: int) -> int:
    """Hold one unit; return the version that came of it."""
    held: Any = reservations.reserve(room, shopper="ann", sku=sku, units=1, reservation_id=f"{sku}-{number}")
    return held.level.version


def publish(room: Stockroom, sku: str, version: int) -> None:
    change = {"sku": sku, "available": version, "version": version, "epoch": 1, "at_ms": 1}
    room.unfenced.publish(keys.CHANNEL, json.dumps(change))


def test_a_quiet_skus_change_goes_out_at_once(stocked: Stock, start_relay: Start) -> None:
    room = stocked(MUG=5)
    ear = start_relay(interval_ms=2000).ear

    began = time.monotonic()
    version = reserve(room, "MUG", 1)

    ear.wait_for(lambda heard: heard.told)
    assert ear.at[0] - began < 2  # the interval
    assert ear.told[0]["version"] == version
    assert ear.told[0].keys() == {"sku", "available", "version", "epoch", "state", "at_ms"}


def test_a_burst_is_told_as_its_first_and_its_last(room: Stockroom, start_relay: Start) -> None:
    ear = start_relay(interval_ms=2000).ear  # for a slow machine to publish all the rest meanwhile

    publish(room, "MUG", 1)
    ear.wait_for(lambda heard: heard.told)
    for version in range(2, 101):
        publish(room, "MUG", version)

    ear.wait_for(lambda heard: 100 in heard.versions("MUG"))
    assert len(ear.told) == 2
    assert ear.at[1] - ear.at[0] >= 1.9
    time.sleep(0.5)
    assert len(ear.told) == 2


def test_a_storm_is_told_once_per_interval_and_its_last_value_always(room: Stockroom, start_relay: Start) -> None:
    ear = start_relay(interval_ms=100).ear

    began = time.monotonic()
    for version in range(1, 101):
        publish(room, "MUG", version)
        time.sleep(0.005)
    intervals = (time.monotonic() - began) / 0.1

    ear.wait_for(lambda heard: 100 in heard.versions("MUG"))
    gaps = [later - earlier for earlier, later in zip(ear.at, ear.at[1:], strict=False)]
    assert median(gaps) >= 0.09  # each is measured a moment after the relay has looked at the clock
    assert 4 <= len(ear.told) <= intervals + 3
    assert ear.versions("MUG") == sorted(ear.versions("MUG"))


def test_one_skus_storm_does_not_hold_up_another(room: Stockroom, start_relay: Start) -> None:
    ear = start_relay(interval_ms=2000).ear
    for version in range(1, 51):
        publish(room, "MUG", version)

    began = time.monotonic()
    publish(room, "CAP", 1)

    ear.wait_for(lambda heard: heard.versions("CAP"))
    assert time.monotonic() - began < 2  # the interval


def test_an_older_version_is_dropped(room: Stockroom, start_relay: Start) -> None:
    ear = start_relay(interval_ms=1).ear

    publish(room, "MUG", 5)
    ear.wait_for(lambda heard: heard.told)
    for version in (3, 5, 4, 6):
        publish(room, "MUG", version)

    ear.wait_for(lambda heard: 6 in heard.versions("MUG"))
    assert ear.versions("MUG") == [5, 6]


def test_after_a_rebuild_everything_watched_is_told_anew(stocked: Stock, start_relay: Start) -> None:
    room = stocked(MUG=5, CAP=5)
    ear = start_relay().ear
    ear.skus = {"MUG"}
    before = room.fence.epoch

    rebuild(room)

    ear.wait_for(lambda heard: heard.told)
    assert [state["sku"] for state in ear.told] == ["MUG"]
    assert ear.told[0]["epoch"] > before
    assert ear.told[0]["version"] == reserve(room, "MUG", 1) - 1


def test_what_was_missed_while_the_bus_was_away_is_told_on_return(stocked: Stock, start_relay: Start) -> None:
    room = stocked(MUG=5)
    running = start_relay()
    running.ear.skus = {"MUG"}

    running.bus.cut()
    version = reserve(room, "MUG", 1)

    running.ear.wait_for(lambda heard: version in heard.versions("MUG"), seconds=3)
    wait_until(lambda: running.relay.hearing)
    later = reserve(room, "MUG", 2)
    running.ear.wait_for(lambda heard: later in heard.versions("MUG"))


def test_a_message_that_is_none_does_not_end_the_relay(room: Stockroom, start_relay: Start) -> None:
    ear = start_relay().ear

    for message in ("no json", "[]", "{}", '{"sku": "MUG"}'):
        room.unfenced.publish(keys.CHANNEL, message)
    deadline = time.monotonic() + 5
    version = 0
    while not ear.told and time.monotonic() < deadline:
        version += 1
        publish(room, "MUG", version)
        time.sleep(0.05)

    assert ear.told


def test_a_listener_keeps_only_the_newest_of_each_sku(room: Stockroom, start_relay: Start) -> None:
    running = start_relay(interval_ms=1)

    with running.relay.listen(["MUG", "CAP"]) as listener:
        for version in range(1, 30):
            publish(room, "MUG", version)
            publish(room, "CAP", version)
            publish(room, "HAT", version)
            time.sleep(0.003)
        running.ear.wait_for(lambda heard: 29 in heard.versions("HAT"))
        states = listener.wait(1)

    assert sorted((state["sku"], state["version"]) for state in states) == [("CAP", 29), ("MUG", 29)]


def test_a_listener_that_hears_nothing_waits_no_longer_than_asked(start_relay: Start) -> None:
    running = start_relay()

    began = time.monotonic()
    with running.relay.listen(["MUG"]) as listener:
        states = listener.wait(0.1)

    assert states == []
    assert 0.09 < time.monotonic() - began < 1


def test_a_listener_that_left_is_forgotten(stocked: Stock, start_relay: Start) -> None:
    room = stocked(MUG=5)
    running = start_relay()

    with running.relay.listen(["MUG"]) as listener:
        pass
    version = reserve(room, "MUG", 1)
    running.ear.wait_for(lambda heard: version in heard.versions("MUG"))

    assert listener.wait(0) == []


def test_a_flood_is_taken_in_whole_and_told_by_its_last_value(
    monkeypatch: pytest.MonkeyPatch, room: Stockroom, start_relay: Start
) -> None:
    monkeypatch.setattr("storefront.live.relay.MOST_AT_ONCE", 7)
    ear = start_relay(interval_ms=100).ear

    for version in range(1, 1001):
        publish(room, "MUG", version)

    ear.wait_for(lambda heard: 1000 in heard.versions("MUG"))
    assert len(ear.told) < 50


def test_a_rebuild_that_died_before_it_told_of_itself_is_noticed_within_seconds(
    monkeypatch: pytest.MonkeyPatch, stocked: Stock, start_relay: Start
) -> None:
    room = stocked(MUG=5)
    ear = start_relay().ear
    ear.skus = {"MUG"}
    monkeypatch.setattr("storefront.stock.rebuild._open", lambda room, epoch: epoch)

    epoch = rebuild(room)

    ear.wait_for(lambda heard: heard.told and heard.told[-1]["epoch"] == epoch, seconds=5)
