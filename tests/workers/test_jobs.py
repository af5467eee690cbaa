"""The jobs: what they do, what they return, and that Redis holds them as data."""

import json
import zlib

import pytest
from flask import Flask
from rq import SimpleWorker
from rq.job import Job
from rq.serializers import JSONSerializer
from sqlalchemy import text

from storefront.core.db import transaction
from storefront.stock import keys, reservations
from storefront.stock.rebuild import is_open
from storefront.stock.stockroom import Stockroom
from storefront.stock.verify import verify
from tests.cart.shelf import available, let_holds_run_out, shelve, visitor
from workers import jobs
from workers.plan import PLAN
from workers.queues import open_queue


def run(app: Flask, path: str) -> Job:
    """Enqueue a job and let a worker do it."""
    redis, queue = open_queue(app.extensions["settings"].redis_url)
    job = queue.enqueue(path)
    SimpleWorker([queue], connection=redis, serializer=JSONSerializer).work(burst=True)
    job.refresh()
    return job


@pytest.mark.parametrize("path", [periodic.job for periodic in PLAN])
def test_every_job_of_the_plan_runs_and_returns_a_dict_that_json_can_say(app: Flask, path: str) -> None:
    job = run(app, path)

    result = job.return_value()
    assert job.get_status() == "finished"
    assert isinstance(result, dict)
    assert json.loads(json.dumps(result)) == result


def test_a_job_in_redis_is_json_and_never_code(app: Flask) -> None:
    redis, queue = open_queue(app.extensions["settings"].redis_url)

    job = queue.enqueue("workers.jobs.expire_holds")

    data = redis.hget(job.key, "data")
    assert json.loads(zlib.decompress(data)) == ["workers.jobs.expire_holds", None, [], {}]  # type: ignore[arg-type]
    assert queue.serializer is JSONSerializer


def test_expire_holds_gives_back_what_is_due_and_nothing_else(app: Flask, room: Stockroom) -> None:
    shelve(MUG=5)
    ann, ben = visitor(app), visitor(app)
    ann.add("MUG", 2)
    let_holds_run_out(room)
    ben.add("MUG", 1)

    done = jobs.expire_holds()

    assert done == {"expired": 1}
    assert available(app, "MUG") == 4
    assert ben.cart() == {"MUG": 1}
    assert verify(room, 0) == []


def test_expire_holds_twice_gives_back_once(app: Flask, room: Stockroom) -> None:
    shelve(MUG=5)
    visitor(app).add("MUG", 2)
    let_holds_run_out(room)

    jobs.expire_holds()

    assert jobs.expire_holds() == {"expired": 0}
    assert available(app, "MUG") == 5


def test_expire_holds_takes_more_than_one_slice(app: Flask, room: Stockroom) -> None:
    shelve(MUG=250)
    ann = visitor(app)
    for number in range(210):
        ann.add("MUG", 1, click_id=str(number))
    let_holds_run_out(room)

    assert jobs.expire_holds() == {"expired": 210}
    assert available(app, "MUG") == 250


def test_repair_opens_a_closed_gate(app: Flask, room: Stockroom) -> None:
    shelve(MUG=5)
    visitor(app).add("MUG", 2)
    room.unfenced.flushall()

    jobs.repair_stock()

    assert is_open(room)
    assert available(app, "MUG") == 3


def test_repair_gives_back_a_hold_whose_process_died_before_the_journal(app: Flask, room: Stockroom) -> None:
    shelve(MUG=5)
    visitor(app).add("MUG", 2)
    with transaction(room.engine) as session:
        session.execute(text("DELETE FROM reservations"))
    (orphan,) = room.unfenced.zrange(keys.due("MUG"), 0, -1)
    room.unfenced.zadd(keys.due("MUG"), {str(orphan): 1})  # its deadline is long over

    jobs.repair_stock()

    assert available(app, "MUG") == 5
    assert verify(room, 0) == []


def test_a_job_that_fails_is_shown_as_failed(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_room: Stockroom) -> int:
        raise RuntimeError("the database is away")

    monkeypatch.setattr(reservations, "expire_all_due", fail)

    job = run(app, "workers.jobs.expire_holds")

    assert job.get_status() == "failed"
    assert "the database is away" in str(job.latest_result().exc_string)  # type: ignore[union-attr]
