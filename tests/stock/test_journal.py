"""The journal: what is promised stands in SQL, and what could not be written is taken back."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from redis.exceptions import RedisError
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from storefront.core.db import transaction
from storefront.core.embedded_redis import EmbeddedRedis
from storefront.core.redis import connect
from storefront.stock import journal, reservations
from storefront.stock.journal import Entry, JournalSlow
from storefront.stock.models import Reservation
from storefront.stock.outcomes import HoldEnded
from storefront.stock.stockroom import Stockroom
from storefront.stock.verify import verify
from tests.stock.proxy import LossyProxy
from tests.stock.steps import available, hold, state_of, take_only

Stocked = Callable[..., Stockroom]


def entry(room: Stockroom, id: str, epoch: int | None = None) -> Entry:
    room.fence.refresh(room.engine)
    return Entry(id, "ann", "MUG", 1, 1, room.now_ms() + room.hold_ms, epoch or room.fence.epoch)


def refuse(_entries: object) -> dict[str, str]:
    raise OperationalError("INSERT", {}, Exception("disk full"))


def test_a_held_reservation_has_its_row_before_the_answer(stocked: Stocked) -> None:
    room = stocked(MUG=5)

    held = hold(room, units=2)

    with transaction(room.engine) as session:
        row = session.scalars(select(Reservation)).one()
    assert (row.id, row.shopper, row.units, row.state) == ("r1", "ann", 2, "active")
    assert row.expires_at_ms == held.expires_at_ms == row.created_at_ms + room.hold_ms


def test_a_batch_says_of_each_entry_what_became_of_it(stocked: Stocked) -> None:
    room = stocked(MUG=5)
    hold(room, id="ended")
    reservations.release(room, "ended", "MUG")
    batch = [entry(room, "new"), entry(room, "ended"), entry(room, "late", epoch=99)]

    states = room.journal._commit(batch)

    assert states == {"new": "active", "ended": "released"}
    assert state_of(room, "late") is None


def test_a_row_that_cannot_be_written_withdraws_the_hold(stocked: Stocked, monkeypatch: pytest.MonkeyPatch) -> None:
    room = stocked(MUG=5)
    monkeypatch.setattr(room.journal, "_commit", refuse)

    with pytest.raises(OperationalError):
        hold(room, units=2)

    assert available(room) == 5
    assert verify(room, 0) == []


def test_a_row_that_comes_after_its_shopper_was_sent_away_finds_a_tombstone(
    stocked: Stocked, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = stocked(MUG=5)
    commit, may_go, done = room.journal._commit, threading.Event(), threading.Event()

    def late(entries: list[Entry]) -> dict[str, str]:
        may_go.wait(5)
        states = commit(entries)
        done.set()
        return states

    monkeypatch.setattr(room.journal, "_commit", late)
    monkeypatch.setattr(journal, "PATIENCE_SECONDS", 0.05)

    with pytest.raises(JournalSlow):
        hold(room, units=2)
    may_go.set()

    assert done.wait(5)
    assert state_of(room) == "expired"
    assert available(room) == 5
    assert verify(room, 0) == []


def test_a_row_that_was_written_although_the_commit_failed_is_kept(
    stocked: Stocked, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = stocked(MUG=5)
    commit = room.journal._commit

    def commit_and_lose_the_answer(entries: list[Entry]) -> dict[str, str]:
        commit(entries)
        return refuse(entries)

    monkeypatch.setattr(room.journal, "_commit", commit_and_lose_the_answer)

    assert hold(room, units=2).units == 2

    assert state_of(room) == "active"
    assert available(room) == 3
    assert verify(room, 0) == []


def test_a_click_that_was_promised_elsewhere_is_not_withdrawn_here(
    stocked: Stocked, other_process: Callable[..., Stockroom], monkeypatch: pytest.MonkeyPatch
) -> None:
    room, other = stocked(MUG=5), other_process()

    def promised_elsewhere_meanwhile(entries: object) -> dict[str, str]:
        hold(other)
        return refuse(entries)

    monkeypatch.setattr(room.journal, "_commit", promised_elsewhere_meanwhile)

    assert hold(room).units == 1

    assert state_of(room) == "active"
    assert available(room) == 4


def test_the_faster_mode_answers_first_and_writes_soon(stocked: Stocked) -> None:
    room = replace(stocked(MUG=5), durability="redis")

    hold(room, units=2)

    assert verify(room, 5) == []
    assert state_of(room) == "active"


def test_a_journal_whose_thread_could_not_start_works_again_afterwards(
    stocked: Stocked, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = stocked(MUG=5)

    def no_thread(*_: object, **__: object) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", no_thread)
        with pytest.raises(RuntimeError):
            hold(room)

    assert hold(room, id="r2").level.available == 4


@pytest.fixture
def lossy(redis_server: EmbeddedRedis, tmp_path: Path) -> Iterator[LossyProxy]:
    """A proxy before the Redis of `room` that can lose replies."""
    proxy = LossyProxy(tmp_path / "lossy.sock", redis_server.socket_path)
    yield proxy
    proxy.close()


@pytest.fixture
def far_room(stocked: Stocked, lossy: LossyProxy) -> Stockroom:
    """A stockroom behind the lossy proxy, with 5 units of MUG."""
    near = stocked(MUG=5)
    far = Stockroom(redis=connect(lossy.url), unfenced=connect(lossy.url), engine=near.engine)
    assert available(far) == 5
    return far


def test_a_reply_lost_ten_times_takes_one_unit(far_room: Stockroom, lossy: LossyProxy) -> None:
    lossy.lose(10)

    for _ in range(10):
        with pytest.raises(RedisError):
            hold(far_room, units=1)
    held = hold(far_room, units=1)

    assert held.units_of_shopper == 1
    assert available(far_room) == 4
    assert verify(far_room, 0) == []


def test_a_release_whose_reply_is_lost_gives_back_once(far_room: Stockroom, lossy: LossyProxy) -> None:
    hold(far_room, units=2)
    lossy.lose(1)

    reservations.release(far_room, "r1", "MUG")
    reservations.release(far_room, "r1", "MUG")

    assert available(far_room) == 5
    assert verify(far_room, 0) == []


def test_a_click_given_up_after_a_lost_reply_cannot_come_back(far_room: Stockroom, lossy: LossyProxy) -> None:
    lossy.lose(1)
    with pytest.raises(RedisError):
        hold(far_room, units=2)
    reservations.release(far_room, "r1", "MUG")

    with pytest.raises(HoldEnded):
        hold(far_room, units=2)

    assert take_only(far_room, id="r2", units=5) == "held"
