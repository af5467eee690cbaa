"""SQLite's one write lock in a process of green threads."""

import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from flask import Flask

from storefront.core.config import PROJECT_ROOT
from storefront.core.db import db
from tests.cart.shelf import shelve, visitor
from tests.processes.asking import ANSWER_SECONDS

TWO_WRITERS = """
import eventlet
eventlet.monkey_patch()
import sys, time
from sqlalchemy import text
from storefront import create_app
from storefront.core.config import load_settings
from storefront.core.db import db, transaction

def write(engine, pause):
    with transaction(engine) as session:
        session.execute(text("CREATE TABLE IF NOT EXISTS notes (word TEXT)"))
        time.sleep(pause)  # as a rebuild does, which talks to Redis meanwhile

with create_app(load_settings({"DATA_DIR": sys.argv[1], "REDIS_URL": "unix:///nowhere.sock"})).app_context():
    began = time.monotonic()
    writers = [eventlet.spawn(write, db.engine, pause) for pause in (0.3, 0.0)]
    for writer in writers:
        writer.wait()
    print(time.monotonic() - began)
"""


def test_a_green_thread_that_waits_to_write_does_not_stop_the_one_it_waits_for(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", TWO_WRITERS, str(tmp_path)],
        cwd=PROJECT_ROOT, capture_output=True, text=True, timeout=60,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr[-1500:]
    assert float(done.stdout) < 2


WAITING_WRITER = """
import eventlet
eventlet.monkey_patch()
import sqlite3, sys
from sqlalchemy import text
from storefront import create_app
from storefront.core.config import load_settings
from storefront.core.db import db, transaction

def write(engine):
    with transaction(engine) as session:
        session.execute(text("CREATE TABLE IF NOT EXISTS notes (word TEXT)"))

with create_app(load_settings({"DATA_DIR": sys.argv[1], "REDIS_URL": "unix:///nowhere.sock"})).app_context():
    write(db.engine)
    other_process = sqlite3.connect(db.engine.url.database, isolation_level=None)
    other_process.execute("BEGIN EXCLUSIVE")
    writer = eventlet.spawn(write, db.engine)
    eventlet.sleep(0.3)  # the green threads of other visitors
    print("waiting" if not writer.dead else "not waiting")
    other_process.execute("COMMIT")
    writer.wait()
"""


def test_a_green_thread_that_waits_for_another_process_does_not_stop_its_own(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", WAITING_WRITER, str(tmp_path)],
        cwd=PROJECT_ROOT, capture_output=True, text=True, timeout=60,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr[-1500:]
    assert done.stdout == "waiting\n"


@pytest.mark.only_on("sqlite")
def test_while_another_process_keeps_sqlite_to_itself_changes_are_refused_in_time_and_the_rest_goes_on(
    app: Flask,
) -> None:
    shelve(MUG=5, GONE=0)
    ann = visitor(app)
    ann.add("MUG")

    with closing(sqlite3.connect(str(db.engine.url.database), isolation_level=None)) as other_process:
        other_process.execute("BEGIN EXCLUSIVE")
        began = time.monotonic()
        change = ann.delete("/api/v1/cart/items/MUG")
        took = time.monotonic() - began
        rest = [ann.get(path).status_code for path in ("/", "/products/mug", "/cart", "/healthz/ready")]
        gone = ann.add("GONE")
    again = ann.delete("/api/v1/cart/items/MUG")

    assert (change.status_code, change.headers["Retry-After"], took < ANSWER_SECONDS) == (503, "1", True)
    assert rest == [200, 200, 200, 200]
    assert (gone.status_code, gone.get_json()["code"]) == (409, "sold_out")
    assert again.status_code == 204
