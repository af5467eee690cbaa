"""The clock: each job once per slot, whatever number of clocks."""

from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask
from redis import Redis
from redis.exceptions import OutOfMemoryError
from rq import Queue, SimpleWorker
from rq.serializers import JSONSerializer

from storefront.stock.stockroom import Stockroom
from storefront.stock.verify import verify
from tests.cart.shelf import all_at_once, available, let_holds_run_out, shelve, visitor
from workers.clock import tick
from workers.plan import PLAN
from workers.queues import EVENTS, SYNC, open_queue, queue_on

NOW = 1_000_000_000  # a slot of every period begins


@pytest.fixture
def queue(app: Flask) -> Iterator[Queue]:
    """The shop's queue, empty."""
    redis, queue = open_queue(app.extensions["settings"].redis_url)
    yield queue
    redis.close()


def redis_at(seconds: int) -> Redis:
    """Redis' clock at this time."""
    at: Any = SimpleNamespace(time=lambda: (seconds, 0))
    return at


def expected(*seconds: int) -> set[str]:
    """The ids of the jobs of these moments."""
    return {f"{periodic.name}-{int(second / periodic.every_seconds)}" for periodic in PLAN for second in seconds}


def enqueued(queue: Queue) -> list[str]:
    """The ids of the jobs in all queues of the plan."""
    names = sorted({periodic.queue for periodic in PLAN})
    return [job_id for name in names for job_id in queue_on(queue.connection, name).job_ids]


def test_one_clock_enqueues_every_job_of_the_plan_in_its_slot(queue: Queue) -> None:
    tick(redis_at(NOW), queue, {})

    assert set(enqueued(queue)) == expected(NOW)


def test_a_slot_is_enqueued_once_however_often_a_clock_beats(queue: Queue) -> None:
    last: dict[str, int] = {}

    for second in (NOW, NOW, NOW, NOW + 1, NOW + 1):
        tick(redis_at(second), queue, last)

    assert len(enqueued(queue)) == len(expected(NOW, NOW + 1))
    assert set(enqueued(queue)) == expected(NOW, NOW + 1)


def test_four_clocks_enqueue_each_slot_once(queue: Queue) -> None:
    clocks: list[dict[str, int]] = [{} for _ in range(4)]
    seconds = range(NOW, NOW + 6)

    for second in seconds:
        all_at_once([partial(tick, redis_at(second), queue, last) for last in clocks])

    assert sorted(enqueued(queue)) == sorted(expected(*seconds))


def test_a_clock_that_comes_late_to_a_slot_does_not_repeat_what_has_run(app: Flask, queue: Queue) -> None:
    queues = [queue, *(queue_on(queue.connection, name) for name in (SYNC, EVENTS))]
    worker = SimpleWorker(queues, connection=queue.connection, serializer=JSONSerializer)
    tick(redis_at(NOW), queue, {})
    worker.work(burst=True)

    tick(redis_at(NOW), queue, {})

    assert enqueued(queue) == []
    assert sum(one.finished_job_registry.count for one in queues) == len(PLAN)


def test_where_redis_takes_no_jobs_the_clock_expires_holds_itself(app: Flask, room: Stockroom, queue: Queue) -> None:
    shelve(MUG=5)
    visitor(app).add("MUG", 2)
    let_holds_run_out(room)

    queue.connection.config_set("maxmemory", 1)
    try:
        with suppress(OutOfMemoryError):  # what is not urgent, and the repair's own mark, have to wait
            tick(queue.connection, queue, {})
    finally:
        queue.connection.config_set("maxmemory", 0)

    assert enqueued(queue) == []
    assert available(app, "MUG") == 5
    assert verify(room, 0) == []


def test_a_clock_that_was_killed_is_replaced_by_any_other(queue: Queue) -> None:
    tick(redis_at(NOW), queue, {})

    tick(redis_at(NOW + 1), queue, {})

    assert expected(NOW + 1) <= set(enqueued(queue))
