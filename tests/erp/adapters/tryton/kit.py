"""A real Tryton from PyPI, in an environment of its own, with a database that is made once and copied for each run.

Both are kept in the project's `.cache/tryton`: the environment for as long as `requirements.txt` is the same, the
database for as long as `furnish.py` is, too. Making them takes about half a minute.
"""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Self

import requests

from tests.running import ROOT, free_port

HERE = Path(__file__).parent
CACHE = ROOT / ".cache" / "tryton"
DATABASE = "books"
ADMIN_PASSWORD = "the-master-of-the-books"
BOT_PASSWORD = "parcels-and-boxes"
INSTALL_SECONDS, FURNISH_SECONDS, READY_SECONDS = 300, 300, 60
CONFIG = """
[database]
uri = sqlite://
path = {folder}
[web]
listen = localhost:{port}
[queue]
worker = {worker}
"""


class TrytonMissing(Exception):
    """There is no Tryton to test against; the message says why."""


def furnished() -> Path:
    """The database file with all that tests start from; made where it is not there."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with _alone():
        python = _environment()
        if not _ready().exists():
            _furnish(python, _ready())
        return _ready()


@contextmanager
def made_beside() -> Iterator[None]:
    """What is not there is made by a process of its own during the block, behind all others; who needs it waits."""
    if _ready().exists():
        yield
        return
    command = ["nice", sys.executable, "-m", __name__]
    quiet = subprocess.DEVNULL  # what goes wrong, goes wrong and is told where the database is needed
    with subprocess.Popen(command, cwd=ROOT, stdout=quiet, stderr=quiet, start_new_session=True) as making:
        try:
            yield
        finally:
            if making.poll() is None:
                os.killpg(making.pid, signal.SIGTERM)


def _ready() -> Path:
    return CACHE / f"{DATABASE}-{_hash('requirements.txt', 'furnish.py')}.sqlite"


@contextmanager
def _alone() -> Iterator[None]:
    """Several test processes want this at once: one makes it."""
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _hash(*names: str) -> str:
    content = b"".join((HERE / name).read_bytes() for name in names) + sys.version.encode()
    return sha256(content).hexdigest()[:12]


def _environment() -> Path:
    """The Python of Tryton's environment; installed where it is not there, or was for other requirements."""
    venv = CACHE / "venv"
    python, stamp = venv / "bin" / "python", venv / f".installed-{_hash('requirements.txt')}"
    if not stamp.exists():
        _run([sys.executable, "-m", "venv", "--clear", str(venv)], INSTALL_SECONDS)
        install = ["-m", "pip", "--disable-pip-version-check", "install", "--quiet", "-r", "requirements.txt"]
        _run([str(python), *install], INSTALL_SECONDS)
        stamp.touch()
    return python


def _furnish(python: Path, ready: Path) -> None:
    draft = CACHE / "furnishing"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    (draft / "password").write_text(ADMIN_PASSWORD)
    (draft / "tryton.cfg").write_text(CONFIG.format(folder=draft, port=1, worker=False))
    environ = {"TRYTONPASSFILE": str(draft / "password"), "BOT_PASSWORD": BOT_PASSWORD}
    _run([str(python), "furnish.py", str(draft / "tryton.cfg"), DATABASE], FURNISH_SECONDS, environ)
    for old in CACHE.glob(f"{DATABASE}-*.sqlite"):
        old.unlink()
    (draft / f"{DATABASE}.sqlite").rename(ready)
    shutil.rmtree(draft)


def _run(command: list[str], seconds: int, environ: dict[str, str] | None = None) -> None:
    try:
        done = subprocess.run(
            command, cwd=HERE, env=os.environ | (environ or {}), capture_output=True, text=True, timeout=seconds
        )
    except subprocess.TimeoutExpired as error:
        raise TrytonMissing(f"No Tryton to test against: {command} took more than {seconds} s.") from error
    if done.returncode:
        raise TrytonMissing(
            f"No Tryton to test against: {command} failed:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
        )


class RunningTryton:
    """A Tryton server on loopback with a fresh copy of the database; stopped at the end of the block.

    worker: whether tasks are left to a worker of Tryton's (which does not run here), so that what is confirmed
    stays so until somebody processes it; else Tryton processes it by itself, right after it was confirmed.
    """

    def __init__(self, folder: Path, *, worker: bool = True):
        self.folder, self.port, self.worker = folder, free_port(), worker
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def database(self) -> Path:
        return self.folder / f"{DATABASE}.sqlite"

    def __enter__(self) -> Self:
        source = furnished()
        self.folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, self.database)
        self.start()
        return self

    def start(self) -> None:
        config = self.folder / "tryton.cfg"
        config.write_text(CONFIG.format(folder=self.folder, port=self.port, worker=self.worker))
        command = [str(CACHE / "venv" / "bin" / "trytond"), "-c", str(config), "-d", DATABASE]
        with (self.folder / "tryton.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            self._wait_ready(self._process)
        except BaseException:
            self.stop(signal.SIGKILL)
            raise

    def _wait_ready(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while True:
            try:
                asked = b'{"id": 1, "method": "common.server.version", "params": []}'
                headers = {"Content-Type": "application/json"}
                requests.post(f"{self.url}/rpc/", asked, headers=headers, timeout=5).raise_for_status()
                return
            except requests.RequestException as error:
                if process.poll() is not None or time.monotonic() > deadline:
                    log = (self.folder / "tryton.log").read_text()[-3000:]
                    raise RuntimeError(f"Tryton does not answer:\n{log}") from error
                time.sleep(0.05)

    def stop(self, number: int = signal.SIGTERM) -> None:
        if self._process and self._process.poll() is None:
            self._process.send_signal(number)
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(10)

    def __exit__(self, *_: object) -> None:
        self.stop()


if __name__ == "__main__":
    furnished()
