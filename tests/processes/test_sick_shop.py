"""A running shop whose Redis or PostgreSQL falls ill in every way, and gets well again; nothing is restarted."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Self

import psycopg2
import pytest

from tests.postgres import PostgresMissing, PostgresServer
from tests.processes.ward import Illness, Ward, live_through, open_ward, wait_until

NEEDS_NO_SQL = {"stock as JSON", "want what is gone", "stream", "poll", "watch"}


class Patient(PostgresServer):
    """A PostgreSQL server that can be frozen, stopped and kept waiting for a lock."""

    def __init__(self) -> None:
        super().__init__()
        self.shop_url = ""
        self._locking: psycopg2.extensions.connection | None = None

    def __enter__(self) -> Self:
        super().__enter__()
        self.shop_url = self.url(self.create())
        return self

    def signal(self, number: int) -> None:
        """To the server and all its processes."""
        server = int(Path(self._data, "postmaster.pid").read_text().split()[0])
        listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
        family = [server, *(int(pid) for pid, parent in map(str.split, listed.splitlines()) if int(parent) == server)]
        for pid in family:
            os.kill(pid, number)

    def lock(self) -> None:
        """Let nobody read or write what an order needs."""
        self._locking = psycopg2.connect(self.shop_url)
        self._locking.cursor().execute("LOCK TABLE reservations, stock_levels, orders IN ACCESS EXCLUSIVE MODE")

    def unlock(self) -> None:
        """But not before whom the web process gave up is gone from the server too: they would fill it up in the end."""
        if self._locking:
            wait_until(lambda: self._in_line() <= 3)  # the worker may wait, in each of its threads
            self._locking.close()

    def _in_line(self) -> int:
        """How many wait for a lock."""
        with closing(psycopg2.connect(self.shop_url)) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
            return cursor.fetchone()[0]


def disk_fails(ward: Ward) -> None:
    """No snapshot can be written where a folder stands in its place; Redis then refuses all changes."""
    (ward.shop.redis.directory / "dump.rdb").mkdir(exist_ok=True)
    ward.redis.config_set("save", "3600 1")
    ward.redis.bgsave()
    wait_until(lambda: ward.redis.info("persistence")["rdb_last_bgsave_status"] == "err")


def fills_up(ward: Ward) -> None:
    """And stays full until the worker has run against it."""
    ward.redis.config_set("maxmemory", 1)
    log = ward.shop.folder / "worker.1.log"
    wait_until(lambda: "Redis does not let us work" in log.read_text(), seconds=60)


def setting(name: str, ill: int, well: int) -> Illness:
    """A setting that makes Redis refuse all changes."""
    return Illness(lambda w: w.redis.config_set(name, ill), lambda w: w.redis.config_set(name, well), refuses=True)


def stopped(ward: Ward) -> None:
    os.kill(ward.redis_pid, signal.SIGSTOP)


def goes_on(ward: Ward) -> None:
    os.kill(ward.redis_pid, signal.SIGCONT)


REDIS = {
    "full": Illness(fills_up, lambda w: w.redis.config_set("maxmemory", 0), refuses=True),
    "without its replicas": setting("min-replicas-to-write", 1, 0),
    "a replica": Illness(lambda w: w.redis.replicaof("127.0.0.1", 1), lambda w: w.redis.replicaof("NO", "ONE"), True),
    "without its disk": Illness(disk_fails, lambda w: w.redis.config_set("save", ""), True),
    "slow": Illness(lambda w: w.line.set(delay_ms=700), lambda w: w.line.set(delay_ms=0)),
    "frozen": Illness(stopped, goes_on),
    "refusing connections": Illness(lambda w: w.line.set(refuse=True), lambda w: w.line.set(refuse=False)),
    "swallowing packets": Illness(lambda w: w.line.freeze(), lambda w: w.line.thaw()),
}


POSTGRES = {
    "frozen": (lambda server: server.signal(signal.SIGSTOP), lambda server: server.signal(signal.SIGCONT)),
    "away": (Patient.stop, Patient.start),
    "locked": (Patient.lock, Patient.unlock),
}


@pytest.fixture(scope="module")
def patient() -> Iterator[Patient | None]:
    """The shop's PostgreSQL; where there is none on this machine, it has an SQLite."""
    try:
        server = Patient()
    except PostgresMissing:
        yield None
        return
    with server:
        yield server


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory, patient: Patient | None) -> Iterator[Ward]:
    environ = {"DATABASE_URL": patient.shop_url, "APP_ENV": "development"} if patient else {}
    with open_ward(tmp_path_factory.mktemp("ward"), **environ) as ward:
        yield ward


@pytest.mark.parametrize("name", REDIS)
def test_with_a_sick_redis_every_answer_comes_in_time_and_afterwards_all_goes_on(ward: Ward, name: str) -> None:
    illness = REDIS[name]

    told = live_through(ward, illness)

    in_vain = {question for question, one in told.items() if one.status == 503}
    assert "ready" in in_vain
    if illness.refuses:
        assert in_vain == {"ready", *(question for question in told if question.startswith("take"))}


@pytest.mark.parametrize("name", POSTGRES)
def test_with_a_sick_database_every_answer_comes_in_time_and_afterwards_all_goes_on(
    ward: Ward, patient: Patient | None, name: str
) -> None:
    if patient is None:
        pytest.skip("there is no PostgreSQL server on this machine")
    begin, end = POSTGRES[name]

    told = live_through(ward, Illness(lambda _: begin(patient), lambda _: end(patient)))

    in_vain = {question for question, one in told.items() if one.status == 503}
    assert in_vain.isdisjoint(NEEDS_NO_SQL)
    assert in_vain >= {question for question in told if question.startswith(("take", "give", "extend"))}


def test_a_shop_that_starts_before_its_redis_and_database_waits_for_them(ward: Ward, patient: Patient | None) -> None:
    ward.shop.stop()
    ward.line.set(refuse=True)
    if patient:
        patient.stop()
    said, job = ward.log_sizes(), ward.last_job()

    ward.shop.spawn()
    started = ward.running()
    wait_until(lambda: all(size > said[name] for name, size in ward.log_sizes().items()), seconds=60)
    ward.line.set(refuse=False)
    if patient:
        patient.start()

    wait_until(lambda: ward.ready().status == 200)
    wait_until(lambda: ward.last_job() > job)
    assert ward.running() == started
    assert not ward.logs_with_tracebacks(), ward.shop.logs()


def test_after_all_that_stock_is_true(ward: Ward) -> None:
    verified = ward.shop.flask("stock", "verify", check=False)

    assert verified.returncode == 0, verified.stdout
