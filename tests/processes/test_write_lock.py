"""SQLite's one write lock in a process of green threads."""

import subprocess
import sys
from pathlib import Path

from storefront.core.config import PROJECT_ROOT

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
