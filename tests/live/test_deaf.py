"""A relay whose line to Redis has died without a word: it notices, says so, and tells the truth again afterwards."""

import time
from collections.abc import Callable, Iterator

import pytest
from flask import Flask

from storefront.core.embedded_redis import EmbeddedRedis
from storefront.live import relay as relay_module
from storefront.stock.stockroom import Stockroom
from tests.cart.shelf import shelve, visitor
from tests.chaos.shop_redis import Proxy
from tests.live.conftest import RunningRelay, wait_until

pytestmark = pytest.mark.only_on("sqlite")  # SQL has no part in it


@pytest.fixture
def line(redis_server: EmbeddedRedis) -> Iterator[Proxy]:
    """The relay's way to Redis; everybody else goes straight."""
    line = Proxy(redis_server.socket_path)
    yield line
    line.close()


@pytest.fixture
def deaf(
    room: Stockroom, line: Proxy, start_relay: Callable[..., RunningRelay], monkeypatch: pytest.MonkeyPatch
) -> RunningRelay:
    """A relay whose watched MUG was told, and whose line has just fallen silent."""
    monkeypatch.setattr(relay_module, "IDLE_SECONDS", 0.1)
    monkeypatch.setattr(relay_module, "DEAF_SECONDS", 0.5)
    shelve(MUG=5)
    listening = start_relay(url=line.url)
    listening.ear.skus = {"MUG"}
    line.freeze()
    return listening


def states(listening: RunningRelay) -> list[str]:
    return [state["state"] for state in listening.ear.told]


def test_it_notices_and_calls_the_stock_checked_until_it_hears_again(deaf: RunningRelay, line: Proxy) -> None:
    wait_until(lambda: not deaf.relay.hearing)
    wait_until(lambda: states(deaf) == ["checking"])

    line.thaw()

    wait_until(lambda: deaf.relay.hearing and states(deaf) == ["checking", "low"])


def test_what_it_missed_is_told_then(app: Flask, deaf: RunningRelay, line: Proxy) -> None:
    wait_until(lambda: not deaf.relay.hearing)
    visitor(app).add("MUG", 2)

    line.thaw()

    wait_until(lambda: deaf.ear.told and deaf.ear.told[-1]["available"] == 3)


def test_a_quiet_shop_is_not_taken_for_a_dead_line(
    room: Stockroom, start_relay: Callable[..., RunningRelay], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_module, "IDLE_SECONDS", 0.1)
    monkeypatch.setattr(relay_module, "DEAF_SECONDS", 0.5)
    listening = start_relay()

    for _ in range(10):
        time.sleep(0.1)
        assert listening.relay.hearing


def test_what_a_snapshot_could_not_tell_follows_by_itself(
    room: Stockroom, start_relay: Callable[..., RunningRelay], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_module, "IDLE_SECONDS", 0.1)
    shelve(MUG=5)
    listening = start_relay()

    room.is_healing = lambda: True
    snapshot = listening.relay.snapshot(["MUG"])
    room.is_healing = lambda: False

    assert snapshot["stock"][0]["state"] == "checking"
    listening.ear.wait_for(lambda ear: [state["available"] for state in ear.told] == [5])
