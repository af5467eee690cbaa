"""Admission by a worker that dies at any moment: nobody is lost, nobody is let in twice, the order is kept."""

import os
import subprocess
import sys
import time
from collections.abc import Callable

from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from storefront.core.config import Settings
from storefront.stock.stockroom import Stockroom
from storefront.waiting_room import joining, keys, queue, tick
from storefront.waiting_room.joining import Joiner
from storefront.waiting_room.models import Admission, Sale
from tests.running import ROOT
from workers.queues import open_queue

DEATHS = {"sqlite": 50, "postgres": 12}
PEOPLE = [f"shopper-{number:04}" for number in range(1500)]


def test_a_worker_killed_again_and_again_loses_nobody_and_lets_nobody_in_twice(
    app: Flask, room: Stockroom, sale_of: Callable[..., Sale], database_kind: str
) -> None:
    sale_of(units=5000, active_most=5000, rate=200.0, pass_seconds=3600, grace_seconds=3600)
    for start in range(0, len(PEOPLE), 100):
        joining.join(room, "drop", [Joiner("drop", shopper) for shopper in PEOPLE[start : start + 100]])

    let_it_die(app.extensions["settings"], DEATHS[database_kind])
    by_mortals = queue.look(room, "drop")[0].admitted
    room.redis.hset(keys.head("drop"), "rate", 10_000)
    while queue.look(room, "drop")[0].waiting or room.redis.xlen(keys.news("drop")):
        tick.tick_all(room)

    with Session(room.engine) as session:
        rows = session.scalars(select(Admission).order_by(Admission.epoch, Admission.number)).all()
    assert by_mortals >= DEATHS[database_kind]
    assert [row.shopper for row in rows] == PEOPLE


def let_it_die(settings: Settings, deaths: int) -> None:
    """Give a worker that is killed so many times one tick after the other to do."""
    environ = {
        **os.environ,
        "DATA_DIR": str(settings.data_dir), "DATABASE_URL": settings.database_url, "SECRET_KEY": settings.secret_key,
        "REDIS_URL": settings.redis_url or "", "APP_ENV": settings.app_env,
    }  # fmt: skip
    _, jobs = open_queue(environ["REDIS_URL"])
    command = [sys.executable, "-m", "tests.waiting_room.mortal_worker", str(deaths), "7"]
    with subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, text=True) as program:
        while program.poll() is None:
            time.sleep(0.002)
            if len(jobs) < 3:
                jobs.enqueue("workers.jobs.tick_sales")
        assert program.stdout and program.stdout.read().split() == [str(deaths)]
