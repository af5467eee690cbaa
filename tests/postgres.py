"""A PostgreSQL server of the tests' own: made in a folder, started on a unix socket, gone afterwards."""

import os
import pwd
import shutil
import subprocess
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

import psycopg2

START_SECONDS = 30
OWNER = "nobody" if os.geteuid() == 0 else None  # PostgreSQL refuses to run as root
# It sorts "a" before "B", as the databases of production do; Python and SQLite don't.
LIKE_PRODUCTION = ("--locale-provider=icu", "--icu-locale=en-US")

HEIR = 'cat; "$0" -D "$1" -m immediate stop; rm -rf "$2"'

# TRUNCATE and CREATE DATABASE … TEMPLATE make new files, which takes 10 and 50 times as long.
EMPTY = """
DO $$
DECLARE name text;
BEGIN
    PERFORM pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid();
    SET LOCAL session_replication_role = replica;  -- no foreign keys for the moment
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version' LOOP
        EXECUTE format('DELETE FROM %I', name);
    END LOOP;
    PERFORM setval(oid::regclass, 1, false) FROM pg_class WHERE relkind = 'S';
END $$
"""


class PostgresMissing(RuntimeError):
    """There is no PostgreSQL server program on this machine."""


class PostgresServer:
    """One cluster, trusting whoever reaches its socket; started and stopped with the block.

    durable: whether a commit waits for the disk, as in production; it takes longer and only measurements need it.
    """

    def __init__(self, *, durable: bool = False) -> None:
        self._programs = find_programs()
        self.folder = Path(tempfile.mkdtemp(prefix="stockbeat-pg-"))
        if OWNER:
            shutil.chown(self.folder, OWNER)
        self._options = f"-c listen_addresses= -k {self.folder} -c max_connections=300"
        if not durable:
            self._options += " -c fsync=off"

    def __enter__(self) -> Self:
        self._heir = self._appoint_heir()
        self._make()
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
        self._heir.kill()  # not told by its input: a process forked meanwhile may hold that open
        self._heir.communicate()

    def _appoint_heir(self) -> "subprocess.Popen[bytes]":
        """Start a process that clears up when this one has ended, however it ended: then its input is at an end."""
        return subprocess.Popen(
            ["sh", "-c", HEIR, str(self._programs / "pg_ctl"), self._data, str(self.folder)],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            cwd="/", start_new_session=True, **_as_owner(),
        )  # fmt: skip

    def start(self) -> None:
        command = ("-D", self._data, "-w", "-t", str(START_SECONDS), "-l", self._log, "-o", self._options)
        self._run("pg_ctl", *command, "start")

    def stop(self) -> None:
        """At once, as a crash does."""
        self._run("pg_ctl", "-D", self._data, "-m", "immediate", "stop")

    def _make(self) -> None:
        plain = ("-D", self._data, "-U", "shop", "-A", "trust", "--no-sync", "--encoding=UTF8", "--locale=C")
        try:
            self._run("initdb", *plain, *LIKE_PRODUCTION)
        except RuntimeError:  # older than 15
            self._run("initdb", *plain)

    @property
    def _data(self) -> str:
        return str(self.folder / "data")

    @property
    def _log(self) -> str:
        return str(self.folder / "server.log")

    def url(self, database: str) -> str:
        """The URL of a database of this server."""
        return f"postgresql://shop@/{database}?host={self.folder}"

    def create(self) -> str:
        """Make a database without tables; return its name."""
        name = f"shop_{uuid4().hex}"
        self._tell("postgres", f"CREATE DATABASE {name}")
        return name

    def empty(self, database: str) -> None:
        """End what is still connected, take all rows out, and count ids from 1 again."""
        self._tell(database, EMPTY)

    def _tell(self, database: str, sql: str) -> None:
        with closing(psycopg2.connect(self.url(database))) as connection:
            connection.autocommit = True
            connection.cursor().execute(sql)

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(self._programs / program), *arguments],
            capture_output=True, text=True, timeout=120, cwd="/", **_as_owner(),
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"{program} failed: {done.stdout}{done.stderr}")


def find_programs() -> Path:
    """The folder that holds initdb, of the newest version. Raises PostgresMissing."""
    on_path = shutil.which("initdb")
    if on_path:
        return Path(on_path).resolve().parent
    debian = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    places = sorted((place.parent for place in debian), key=lambda place: float(place.parent.name))
    if not places:
        raise PostgresMissing("Install a PostgreSQL server (Debian: apt-get install postgresql).")
    return places[-1]


def _as_owner() -> dict[str, Any]:
    return {"user": OWNER, "group": pwd.getpwnam(OWNER).pw_gid, "extra_groups": []} if OWNER else {}
