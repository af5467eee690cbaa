"""The shop's database during the chaos: PostgreSQL, which is treated badly too, or SQLite."""

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, create_engine, text

from storefront.core.config import normalize_database_url
from tests.chaos.guard import Guard
from tests.postgres import PostgresServer

QUIET_SECONDS = 10.0
_BUSY = text(
    "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
    " AND state = 'active' AND wait_event_type IS DISTINCT FROM 'Lock'"  # whoever waits for a lock does nothing
)
_CUT = text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND random() < :share"
)


class _Restartable(PostgresServer):
    @property
    def pid(self) -> int:
        return int((Path(self._data) / "postmaster.pid").read_text().split()[0])

    def restart(self, mode: str) -> None:
        options = f"-c listen_addresses= -k {self.folder} -c max_connections=300"
        arguments = ("-D", self._data, "-w", "-t", "60", "-l", self._log, "-o", options, "-m", mode)
        self._run("pg_ctl", *arguments, "restart")


class Database:
    """One database, made new; `kind` is "postgres" or "sqlite"."""

    def __init__(self, kind: str, folder: Path, guard: Guard):
        self.kind = kind
        self.steady = threading.RLock()  # held while the server is not to be asked
        self._server = _Restartable().__enter__() if kind == "postgres" else None
        self._guard = guard
        if self._server:
            guard.add(self._server.pid)
        self.url = self._server.url(self._server.create()) if self._server else f"sqlite:///{folder / 'shop.db'}"
        options: dict[str, Any] = {"isolation_level": "REPEATABLE READ", "pool_pre_ping": True} if self._server else {}
        self.engine = create_engine(normalize_database_url(self.url), **options)

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """A connection whose statements all see the same moment."""
        with self.engine.connect() as connection:
            if self.kind == "sqlite":
                connection.exec_driver_sql("BEGIN")
            yield connection
            connection.rollback()

    def wait_quiet(self) -> None:
        """Return when no statement is being carried out; nobody may send any more."""
        if self._server is None:
            return  # each process is its own database
        deadline = time.monotonic() + QUIET_SECONDS
        quiet = 0
        with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            while quiet < 2:
                quiet = 0 if connection.scalar(_BUSY) else quiet + 1
                time.sleep(0.003)
                if time.monotonic() > deadline:
                    raise RuntimeError("PostgreSQL has not come to rest with all processes frozen")

    # --- faults

    def cut_connections(self, share: float) -> None:
        """End that share of the server's connections, whatever they are doing."""
        with self.steady, self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(_CUT, {"share": share})

    def restart(self, dice: random.Random) -> str:
        """Restart the server; return how."""
        assert self._server is not None
        mode = dice.choice(("fast", "immediate"))
        with self.steady:
            self.engine.dispose()
            self._guard.remove(self._server.pid)
            self._server.restart(mode)
            self._guard.add(self._server.pid)
        return mode

    def close(self) -> None:
        self.engine.dispose()
        if self._server:
            self._guard.remove(self._server.pid)
            self._server.__exit__()
