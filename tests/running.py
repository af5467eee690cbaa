"""A whole shop in real processes, as `make run` starts it, but on a free port and in a folder of its own."""

import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import requests

from storefront import create_app
from storefront.core.config import load_settings
from storefront.core.db import db
from storefront.core.embedded_redis import EmbeddedRedis

ROOT = Path(__file__).resolve().parents[1]
READY_SECONDS = 120.0
JOIN_SECONDS = 60.0
PORTS = range(20_000, 32_000)  # Linux takes those of outgoing connections from 32768 on, macOS from 49152
DICE = random.SystemRandom()  # tests that run side by side, with one seed, must not come upon the same ports
COMMANDS = {
    "web": [sys.executable, "wsgi.py"],
    "worker": [sys.executable, "-m", "workers"],
    "clock": [sys.executable, "-m", "workers.clock"],
}


def free_port() -> int:
    """A port on which nobody listens, and that the kernel gives to no outgoing connection before the shop takes it."""
    while True:
        port = DICE.choice(PORTS)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("", port))
            except OSError:
                continue
            return port


class RunningShop:
    """Web processes, worker and clock around one Redis and one database; stopped at the end of the block.

    `environ` are settings as environment variables. The log of each process is in `folder`.
    """

    def __init__(self, folder: Path, *, web: int = 1, **environ: str):
        self.folder = folder
        self.port = free_port()
        self.redis = EmbeddedRedis(folder / "redis")
        self.web = web
        self.environ = {
            **os.environ,
            "DATA_DIR": str(folder),
            "PORT": str(self.port),
            "WEB_PROCESSES": str(web),
            "OPS_PASSWORD": "secret",
            **environ,
        }
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self.redis.start()
        self.environ["REDIS_URL"] = self.redis.url
        self.prepare("db", "upgrade", "--directory", str(ROOT / "migrations"))
        return self

    def start(self) -> Self:
        """Start every process that does not run, and wait until the shop is ready."""
        self.prepare("stock", "rebuild", "--if-closed")
        self.spawn()
        try:
            self.wait_ready()
        except BaseException:
            self.stop(number=signal.SIGKILL)  # nobody will who never got this shop
            raise
        return self

    def spawn(self) -> None:
        """Start every process that does not run."""
        for name in [*(f"web.{number}" for number in range(1, self.web + 1)), "worker.1", "clock.1"]:
            if name not in self.processes or self.processes[name].poll() is not None:
                self._spawn(name)

    def _spawn(self, name: str) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            command = COMMANDS[name.partition(".")[0]]
            self.processes[name] = subprocess.Popen(command, cwd=ROOT, env=self.environ, stdout=log, stderr=log)

    def wait_ready(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        good = 0
        while good < 3 * self.web:  # the kernel deals connections to the web processes, so ask more than once
            try:
                ready = requests.get(f"{self.url}/healthz/ready", timeout=5).status_code == 200
            except requests.RequestException:
                ready = False
            good = good + 1 if ready else 0
            ended = [name for name, process in self.processes.items() if process.poll() is not None]
            if ended or time.monotonic() > deadline:
                raise RuntimeError(f"the shop is not ready, {ended} have ended; see {self.logs()}")
            if not ready:
                time.sleep(0.1)

    def stop(self, names: Sequence[str] | None = None, number: int = signal.SIGTERM) -> None:
        """Send a signal to processes (all where none is named) and wait until they are gone."""
        chosen = [self.processes[name] for name in (names or self.processes)]
        for process in chosen:
            if process.poll() is None:
                process.send_signal(number)
        for process in chosen:
            process.wait(60)

    def flask(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a `flask` command beside the shop."""
        done = subprocess.run(
            [sys.executable, "-m", "flask", *arguments],
            cwd=ROOT, env=self.environ, capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        if check and done.returncode:
            raise RuntimeError(f"flask {' '.join(arguments)} failed:\n{done.stdout}\n{done.stderr}")
        return done

    def prepare(self, *arguments: str) -> None:
        """Do in this process what a `flask` command does: the program takes a second or two to start."""
        app = create_app(load_settings(self.environ))
        done = app.test_cli_runner().invoke(args=arguments)
        for thread in threading.enumerate():
            if thread.name == "stock-rebuild":  # of the command; the program would end it
                thread.join(JOIN_SECONDS)
        with app.app_context():
            db.engine.dispose()
        if done.exit_code:
            raise RuntimeError(f"flask {' '.join(arguments)} failed:\n{done.output}") from done.exception

    def logs(self) -> str:
        return "\n".join(path.read_text()[-3000:] for path in sorted(self.folder.glob("*.log")))

    def shopper(self) -> requests.Session:
        """A visitor with a cookie jar of his own, sending the Origin a browser would send."""
        session = requests.Session()
        session.headers["Origin"] = self.url
        return session

    def add(self, session: requests.Session, sku: str, quantity: int = 1, **more: Any) -> requests.Response:
        return session.post(
            f"{self.url}/api/v1/cart/items", json={"sku": sku, "quantity": quantity, **more}, timeout=15
        )

    def __exit__(self, *_: object) -> None:
        self.stop(number=signal.SIGTERM)
        self.redis.close()
