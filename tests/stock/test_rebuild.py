"""The rebuild: what it writes, and what may go on beside it."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import AbstractContextManager
from itertools import count
from typing import Any

import pytest
from sqlalchemy import Engine, Row, delete
from sqlalchemy.orm import Session

from storefront.core.db import transaction
from storefront.stock import adjustments, keys, ledger, levels, rebuild, reservations
from storefront.stock.models import StockFence
from storefront.stock.outcomes import StockChecking
from storefront.stock.stockroom import Stockroom
from storefront.stock.verify import verify
from tests.stock.steps import (
    available,
    bought,
    hold,
    let_run_out,
    rebuild_and_die,
    sell,
    sell_only,
    take_only,
    version,
)

Stocked = Callable[..., Stockroom]


def test_holds_return_with_their_units_shoppers_and_deadlines(stocked: Stocked) -> None:
    room = stocked(MUG=5, CAP=1)
    deadline = hold(room, units=2).expires_at_ms
    hold(room, shopper="bob", id="r2")
    before = room.unfenced.hgetall(keys.holds("MUG"))

    rebuild.rebuild(room)

    assert room.unfenced.hgetall(keys.holds("MUG")) == before
    assert room.unfenced.zscore(keys.due("MUG"), "r1") == deadline
    assert room.unfenced.hgetall(keys.held("MUG")) == {"ann": "2", "bob": "1"}
    assert (available(room), available(room, "CAP")) == (2, 1)
    assert verify(room, 0) == []


def test_the_limit_still_counts_what_was_bought_before(stocked: Stocked) -> None:
    room = stocked(MUG=5)
    adjustments.set_limit(room, "MUG", 3)
    hold(room, units=2)
    sell(room, "r1")

    rebuild.rebuild(room)

    assert bought(room) == 2
    assert verify(room, 0) == []


def test_a_hold_that_never_reached_the_journal_is_gone_and_its_units_are_back(stocked: Stocked) -> None:
    room = stocked(MUG=5)
    take_only(room, units=2)

    rebuild.rebuild(room)

    assert available(room) == 5
    assert verify(room, 0) == []


def test_an_overdue_hold_is_swept_after_the_rebuild_too(stocked: Stocked) -> None:
    room = stocked(MUG=5)
    hold(room, units=2)
    let_run_out(room, "r1")
    rebuild.rebuild(room)

    reservations.expire_all_due(room)

    assert available(room) == 5
    assert verify(room, 0) == []


def test_an_order_that_redis_never_heard_of_counts(stocked: Stocked) -> None:
    room = stocked(MUG=5)
    hold(room, units=2)
    sell_only(room, "r1")

    rebuild.rebuild(room)

    assert available(room) == 3
    assert verify(room, 0) == []


def test_versions_rise_over_rebuilds_and_everybody_is_told(stocked: Stocked) -> None:
    room = stocked(MUG=5)
    versions = [version(room)]
    with room.unfenced.pubsub(ignore_subscribe_messages=True) as heard:
        heard.subscribe(keys.CHANNEL)
        heard.get_message(timeout=1)

        for number in range(3):
            hold(room, id=f"r{number}")
            versions.append(version(room))
            rebuild.rebuild(room)
            versions.append(version(room))

        messages = []
        while message := heard.get_message(timeout=0.2):
            messages.append(json.loads(message["data"]))
    assert versions == sorted(set(versions))
    assert [message.get("rebuilt") for message in messages] == [None, 2, None, 3, None, 4]


def fail_after_loading(monkeypatch: pytest.MonkeyPatch, room: Stockroom) -> None:
    """A rebuild that has written to Redis and then loses its database."""
    levels_of = rebuild._levels

    def broken(session: Session) -> Iterator[list[Row]]:
        yield from levels_of(session)
        raise ConnectionError("the database is gone")

    with monkeypatch.context() as patch:
        patch.setattr(rebuild, "_levels", broken)
        with pytest.raises(ConnectionError):
            rebuild.rebuild(room)


def test_a_rebuild_that_failed_leaves_the_gate_closed(stocked: Stocked, monkeypatch: pytest.MonkeyPatch) -> None:
    room = stocked(MUG=5)

    fail_after_loading(monkeypatch, room)

    assert available(room) is None
    assert not rebuild.is_open(room)
    assert rebuild.rebuild_if_closed(room)
    assert available(room) == 5


def test_versions_rise_over_a_rebuild_that_failed(stocked: Stocked, monkeypatch: pytest.MonkeyPatch) -> None:
    room = stocked(MUG=5)
    hold(room)
    fail_after_loading(monkeypatch, room)
    reservations.release(room, "r1", "MUG")  # announced under the epoch that never was
    announced = int(room.unfenced.hget(keys.level("MUG"), "version") or 0)

    rebuild.rebuild(room)

    assert version(room) > announced
    assert available(room) == 5


def test_no_version_comes_twice_though_redis_is_wiped_after_half_a_rebuild(stocked: Stocked) -> None:
    room = stocked(MUG=5)
    hold(room)
    rebuild_and_die(room)
    page = room.unfenced.pubsub(ignore_subscribe_messages=True)
    page.subscribe(keys.CHANNEL)
    page.get_message(timeout=1)
    reservations.release(room, "r1", "MUG")
    seen = json.loads(page.get_message(timeout=1)["data"])
    page.close()
    room.unfenced.flushall()

    rebuild.rebuild(room)

    assert version(room) > seen["version"]


def test_nobody_is_asked_for_an_epoch_whose_rebuild_did_not_end(stocked: Stocked) -> None:
    room = stocked(MUG=5)
    hold(room)
    rebuild_and_die(room)
    room.fence.refresh(room.engine)

    assert available(room) is None  # though all numbers are there, and the connection is an old one
    with pytest.raises(StockChecking):
        hold(room, id="r2")


def test_a_sku_that_comes_in_while_a_rebuild_has_only_begun_waits_for_its_numbers(
    stocked: Stocked, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = stocked(MUG=5)
    with monkeypatch.context() as patch:
        patch.setattr(rebuild, "_load", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            rebuild.rebuild(room)

    with transaction(room.engine) as session:
        ledger.open_levels(session, {"CAP": 2}, room.now_ms())

    introduced = levels.introduce(room, ["CAP"])

    rebuild.rebuild(room)
    assert introduced == 0  # its version would come again
    assert available(room, "CAP") == 2


def test_a_rebuild_that_is_overtaken_before_it_reads_leaves_it_to_the_other(
    stocked: Stocked, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = stocked(MUG=5)
    room.unfenced.flushall()
    transactions = count()

    def overtaken(engine: Engine) -> AbstractContextManager[Session]:
        if next(transactions) == 1:  # the epoch is raised, and nothing was read
            rebuild.rebuild(room)
        return transaction(engine)

    monkeypatch.setattr(rebuild, "transaction", overtaken)

    epoch = rebuild.rebuild_if_closed(room)

    assert epoch is None
    assert hold(room).level.epoch == 3


def test_a_rebuild_that_opens_late_does_not_close_the_gate_of_the_next(
    stocked: Stocked, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = stocked(MUG=5)
    open_gate = rebuild._open
    with monkeypatch.context() as patch:
        patch.setattr(rebuild, "_open", lambda room, epoch: epoch)
        late = rebuild.rebuild(room)
    rebuild.rebuild(room)

    open_gate(room, late)

    assert rebuild.is_open(room)
    assert hold(room).level.epoch == late + 1


def test_many_processes_that_find_the_gate_closed_rebuild_once(
    stocked: Stocked, other_process: Callable[..., Stockroom]
) -> None:
    room = stocked(MUG=5)
    others = [other_process() for _ in range(3)]
    room.unfenced.flushall()

    epochs = [rebuild.rebuild_if_closed(one, "MUG") for one in (room, *others)]

    assert epochs == [2, None, None, None]


def test_a_background_rebuild_heals_a_closed_gate(stocked: Stocked) -> None:
    room = stocked(MUG=5)
    healing = rebuild.BackgroundRebuild()
    room.on_closed = healing.start
    room.unfenced.flushall()

    assert available(room) is None

    healing._busy.acquire(timeout=5)  # until the attempt is over
    assert available(room) == 5


def test_a_redis_that_takes_no_changes_is_not_rebuilt_without_end(
    stocked: Stocked, caplog: pytest.LogCaptureFixture
) -> None:
    room = stocked(MUG=5)
    healing = rebuild.BackgroundRebuild()
    room.on_closed = healing.start
    room.unfenced.flushall()

    room.unfenced.config_set("min-replicas-to-write", 1)
    try:
        shown = {available(room) for _ in range(50)}
    finally:
        room.unfenced.config_set("min-replicas-to-write", 0)
    healing._busy.acquire(timeout=5)

    assert shown == {None}
    assert caplog.text.count("could not be rebuilt") == 1


def test_while_a_process_heals_the_gate_it_refuses_at_once_and_asks_nobody(stocked: Stocked) -> None:
    room = stocked(MUG=5)
    room.is_healing = lambda: True

    with pytest.raises(StockChecking):
        room.ask("MUG", lambda epoch: pytest.fail("Redis was asked"))


def test_a_process_that_only_looks_whether_the_gate_is_closed_refuses_nobody(
    stocked: Stocked, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = stocked(MUG=5)
    healing = rebuild.BackgroundRebuild()
    seen: list[bool] = []
    look = rebuild.is_open

    def looking(*what: Any) -> bool:
        seen.append(healing.is_running())
        return look(*what)

    monkeypatch.setattr(rebuild, "is_open", looking)

    healing.start(room, "MUG")

    healing._busy.acquire(timeout=5)
    assert seen == [False]


def test_two_that_are_the_first_wait_for_each_other(room: Stockroom) -> None:
    with transaction(room.engine) as session:
        session.execute(delete(StockFence))

    with ThreadPoolExecutor(1) as threads:
        with transaction(room.engine) as session:
            rebuild.close_gate(session)
            session.flush()
            other = threads.submit(rebuild.rebuild, room)
            wait([other], timeout=0.5)  # it comes upon our row, which nobody else can see yet
            assert not other.done()
        epoch = other.result(timeout=10)

    assert epoch == 2
    assert verify(room) == []
