"""The shop's Redis, to be treated badly: killed, wiped, frozen, set back, cut from power; and the proxy before it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from storefront.core.embedded_redis import find_server
from tests.chaos.guard import Guard
from tests.chaos.shifted_clock import ShiftedClock
from tests.running import ROOT, free_port

START_SECONDS = 20.0
SAMPLE_SECONDS = 0.25
COPY_SECONDS = 6.0
UNSYNCED_SECONDS = 1.1  # appendfsync everysec: what is younger may be lost with the power
COPIES = 4


class Proxy:
    """The proxy program, and the faults it is told."""

    def __init__(self, upstream: Path):
        self.port = free_port()
        command = [sys.executable, "-m", "tests.chaos.proxy", str(self.port), str(upstream)]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._lock = threading.Lock()
        self._read()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def set(self, **faults: int | bool) -> None:
        """Tell the proxy what goes wrong from now on, see proxy.py."""
        assert self._process.stdin is not None
        with self._lock:
            self._process.stdin.write(json.dumps(faults) + "\n")
            self._process.stdin.flush()
            self._read()

    def _read(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()

    def freeze(self) -> None:
        os.kill(self._process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self._process.pid, signal.SIGCONT)

    def close(self) -> None:
        self.thaw()
        self._process.kill()
        self._process.wait()


class ShopRedis:
    """One redis-server with an append-only file, reached by the shop through `proxy` and by the checker directly."""

    def __init__(self, folder: Path, guard: Guard, executable: str | None = None):
        self.folder = folder
        self._guard = guard
        self.data = folder / "redis"
        self.socket = folder / "redis.sock"
        self.steady = threading.RLock()  # held while the server is not to be asked
        self.clock = ShiftedClock(folder)
        self.latest_ms = 0  # the latest time it ever showed before its clock went back
        self._executable = executable or find_server()
        self._copies = folder / "redis-copies"
        self._sizes: deque[tuple[float, dict[str, int]]] = deque(maxlen=100)
        self._process: subprocess.Popen[bytes] | None = None
        self._closing = threading.Event()
        self.data.mkdir()
        self._copies.mkdir()
        self._start()
        self.proxy = Proxy(self.socket)
        threading.Thread(target=self._watch_files, name="redis-files", daemon=True).start()

    def connect(self) -> Redis:
        """A client that goes straight to the server."""
        return Redis(unix_socket_path=str(self.socket), decode_responses=True, socket_timeout=10.0)

    def _start(self) -> None:
        options = {
            "port": "0", "unixsocket": str(self.socket), "dir": str(self.data), "appendonly": "yes",
            "appendfsync": "everysec", "auto-aof-rewrite-percentage": "0", "save": "",
            "maxmemory-policy": "noeviction", "logfile": str(self.folder / "redis.log"), "daemonize": "no",
        }  # fmt: skip
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        self._process = subprocess.Popen([self._executable, *words], stdin=subprocess.DEVNULL, env=self.clock.environ)
        self._guard.add(self._process.pid)
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise RuntimeError(f"Redis does not start; see {self.folder / 'redis.log'}")
            time.sleep(0.005)

    def _answers(self) -> bool:
        with suppress(RedisError), self.connect() as client:
            return bool(client.ping())
        return False

    def _kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self._guard.remove(self._process.pid)

    # --- faults; each returns when Redis answers again

    def crash(self) -> None:
        """kill -9; the append-only file stays as it is."""
        with self.steady:
            self._kill()
            self._start()

    def wipe(self) -> None:
        """Gone with all its data; an empty one takes its place."""
        with self.steady:
            self._kill()
            self._empty()
            self._start()

    def flush_all(self) -> None:
        with self.steady, self.connect() as client:
            client.flushall()

    def set_back(self, choose: Any) -> None:
        """An older copy of the append-only file is restored; `choose` picks one of the copies."""
        with self.steady:
            copies = sorted(self._copies.iterdir())
            self._kill()
            if copies:
                self._empty()
                shutil.copytree(choose(copies), self.data, dirs_exist_ok=True)
            self._start()

    def cut_power(self) -> None:
        """The machine loses power: the files are cut back to what was synced a second ago."""
        with self.steady:
            self._kill()
            before = time.monotonic() - UNSYNCED_SECONDS
            synced = next((sizes for at, sizes in reversed(self._sizes) if at <= before), {})
            for name, size in synced.items():
                path = self.data / name
                if path.exists() and path.stat().st_size > size:
                    os.truncate(path, size)
            self._start()

    def freeze(self, seconds: float) -> None:
        """The process stands still, its connections stay open."""
        assert self._process is not None
        with self.steady:
            os.kill(self._process.pid, signal.SIGSTOP)
            time.sleep(seconds)
            os.kill(self._process.pid, signal.SIGCONT)

    def jump(self, seconds: int) -> None:
        """Its clock, the only one that counts, goes forward or back."""
        with self.steady, self.connect() as client:
            self.latest_ms = max(self.latest_ms, client.time()[0] * 1000 + 1000)
            self.clock.jump(seconds)

    def _empty(self) -> None:
        shutil.rmtree(self.data)
        self.data.mkdir()

    # --- what the faults need to know

    def _watch_files(self) -> None:
        copied_at = time.monotonic()
        while not self._closing.wait(SAMPLE_SECONDS):
            self._sizes.append((time.monotonic(), self._look()))
            if time.monotonic() - copied_at > COPY_SECONDS:
                copied_at = time.monotonic()
                self._copy(f"{copied_at:012.3f}")

    def _look(self) -> dict[str, int]:
        sizes = {}
        for path in self.data.rglob("*.aof"):
            with suppress(OSError):
                sizes[str(path.relative_to(self.data))] = path.stat().st_size
        return sizes

    def _copy(self, name: str) -> None:
        with self.steady, suppress(OSError, shutil.Error):
            shutil.copytree(self.data, self._copies / name)
            for old in sorted(self._copies.iterdir())[:-COPIES]:
                shutil.rmtree(old)

    def wait_quiet(self) -> None:
        """Return when every command that was sent has been carried out; nobody may send any more."""
        with self.connect() as client:
            before = -1
            while (done := client.info("stats")["total_commands_processed"]) != before + 1:
                before = done
                time.sleep(0.002)

    def close(self) -> None:
        self._closing.set()
        self.proxy.close()
        if self._process is not None:
            self._kill()
