"""A PostgreSQL server of the tests' own: made in a folder, started on a unix socket, gone afterwards."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Self
from uuid import uuid4

START_SECONDS = 30


class PostgresMissing(RuntimeError):
    """There is no PostgreSQL server program on this machine."""


class PostgresServer:
    """One cluster, trusting whoever reaches its socket; started and stopped with the block."""

    def __init__(self) -> None:
        self._programs = _find_programs()
        self._folder = Path(tempfile.mkdtemp(prefix="stockbeat-pg-"))
        self._folder.chmod(0o777)

    def __enter__(self) -> Self:
        self._run("initdb", "-D", self._data, "-U", "shop", "-A", "trust", "--no-sync", "-E", "UTF8")
        options = f"-c listen_addresses= -k {self._folder} -c max_connections=300"
        self._run("pg_ctl", "-D", self._data, "-w", "-t", str(START_SECONDS), "-l", self._log, "-o", options, "start")
        return self

    def __exit__(self, *_: object) -> None:
        self._run("pg_ctl", "-D", self._data, "-m", "immediate", "stop")
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def _data(self) -> str:
        return str(self._folder / "data")

    @property
    def _log(self) -> str:
        return str(self._folder / "server.log")

    def url(self, database: str) -> str:
        """The URL of a database of this server."""
        return f"postgresql://shop@/{database}?host={self._folder}"

    def create(self, template: str = "template1") -> str:
        """Make a database, a copy of `template`; return its name."""
        name = f"shop_{uuid4().hex}"
        self._run("createdb", "-h", str(self._folder), "-U", "shop", "-T", template, name)
        return name

    def drop(self, database: str) -> None:
        self._run("dropdb", "-h", str(self._folder), "-U", "shop", "--force", database)

    def _run(self, program: str, *arguments: str) -> None:
        command = [*_as_nobody(), str(self._programs / program), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd="/")
        if done.returncode:
            raise RuntimeError(f"{program} failed: {done.stdout}{done.stderr}")


def _find_programs() -> Path:
    """The folder that holds initdb. Raises PostgresMissing."""
    on_path = shutil.which("initdb")
    places = [Path(on_path).resolve().parent] if on_path else []
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for place in places:
        if (place / "initdb").exists():
            return place
    raise PostgresMissing("Install a PostgreSQL server (Debian: apt-get install postgresql).")


def _as_nobody() -> Sequence[str]:
    """PostgreSQL refuses to run as root."""
    return ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"] if os.geteuid() == 0 else []
