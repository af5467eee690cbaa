"""The database's driver among green threads, in a web process as wsgi.py patches it."""

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from tests.core.processes_seen import PROJECT_ROOT, end, make_stub_shop, processes_with, start, wait_until
from tests.postgres import PostgresServer
from tests.running import free_port

WAITING = 5
USE = """
import time
from tests.postgres import PostgresServer
with PostgresServer() as server:
    print(server.folder, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def url(tmp_path: Path, postgres: PostgresServer) -> Iterator[str]:
    """The address of a web process whose `/wait` sleeps a second in PostgreSQL and tells the ticks before and after."""
    shop = make_stub_shop(tmp_path / "shop", "database.py")
    port = free_port()
    environ = {"PORT": str(port), "APP_ENV": "development", "DATABASE_URL": postgres.url(postgres.create())}
    web = start(shop, "wsgi.py", **environ)
    wait_until(lambda: web.poll() is not None or answers(f"http://127.0.0.1:{port}/healthz/ready"))
    yield f"http://127.0.0.1:{port}"
    end(web)


def answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).ok
    except requests.RequestException:
        return False


def test_requests_that_wait_for_postgresql_do_so_together_and_hold_up_nobody(url: str) -> None:
    with ThreadPoolExecutor(WAITING) as visitors:
        waited = list(visitors.map(lambda _: requests.get(f"{url}/wait", timeout=30).json(), range(WAITING)))

    assert max(began for began, _ in waited) < min(ended for _, ended in waited)
    assert all(ended - began > 10 for began, ended in waited), waited


def test_no_server_of_the_tests_stays_behind_when_they_are_killed(postgres: PostgresServer) -> None:
    tests = subprocess.Popen([sys.executable, "-c", USE], cwd=PROJECT_ROOT, stdout=subprocess.PIPE, text=True)
    assert tests.stdout
    folder = tests.stdout.readline().strip()
    assert processes_with(folder)

    end(tests)

    wait_until(lambda: not processes_with(folder) and not Path(folder).exists())
