"""The systems compared: how each is started, and over which transport it is watched."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from bench.fanout.stage import Stage, start_on_server_core
from storefront.stock import keys
from tests.running import ROOT, free_port

NODE_SOURCES = Path(__file__).with_name("node")
NODE_FOLDER = ROOT / ".cache" / "fanout"
INSTALL_SECONDS = 120
START_SECONDS = 15


class LeftOut(Exception):
    """A system cannot be measured on this machine; the message says why."""


@dataclass(frozen=True)
class Server:
    """A running server and how to watch it."""

    pid: int
    port: int
    transport: str  # as the viewers' program calls it

    def resident_kb(self) -> int:
        """The resident set of its process."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0])


@contextmanager
def shop(stage: Stage, *, transport: str, environ: Mapping[str, str]) -> Iterator[Server]:
    """The shop's web process with these settings."""
    try:
        yield Server(stage.start_web(environ), stage.port, transport)
    finally:
        stage.stop_web()


@contextmanager
def node(stage: Stage) -> Iterator[Server]:
    """Node's server; its packages are installed on first use."""
    program = install_node_server()
    environ = {**os.environ, "NODE_ENV": "production"}
    with running([program, "server.mjs"], stage, "socketio", cwd=NODE_FOLDER, env=environ) as server:
        yield server


def install_node_server() -> str:
    """Put server.mjs and what it needs into the cache folder; the path of `node`. Raises LeftOut where that fails."""
    beside = str(Path(sys.executable).parent)
    path = os.pathsep.join([os.environ.get("PATH", ""), beside])  # a wheel may have brought Node to the latter
    program, npm = shutil.which("node", path=path), shutil.which("npm", path=path)
    if not program or not npm:
        raise LeftOut("there is no Node and npm on this machine.")
    shutil.copytree(NODE_SOURCES, NODE_FOLDER, dirs_exist_ok=True)
    command = [npm, "install", "--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error", "--prefer-offline"]
    # The Node of a wheel knows its own certificates only.
    certificates = {"NODE_OPTIONS": "--use-system-ca"} if program.startswith(beside) else {}
    environ = {**os.environ, "PATH": path, **certificates}
    done = subprocess.run(
        command, cwd=NODE_FOLDER, env=environ, capture_output=True, text=True, timeout=INSTALL_SECONDS
    )
    if done.returncode:
        raise LeftOut(f"npm could not install it: {done.stderr.strip()[-200:]}")
    return program


@contextmanager
def floor(stage: Stage) -> Iterator[Server]:
    with running([str(stage.programs.floor)], stage, "bare") as server:
        yield server


@contextmanager
def running(command: list[str], stage: Stage, transport: str, **options: Any) -> Iterator[Server]:
    """A server that is told its port, Redis and the channel."""
    port = free_port()
    process = start_on_server_core([*command, str(port), stage.redis_socket, keys.CHANNEL], **options)
    try:
        wait_for(port, process)
        yield Server(process.pid, port, transport)
    finally:
        process.kill()
        process.wait()


def wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"nothing listens on port {port}") from None
            time.sleep(0.05)


@dataclass(frozen=True)
class System:
    title: str
    running: Callable[[Stage], AbstractContextManager[Server]]


EVERY_CHANGE = {"PUSH_INTERVAL_MS": "1"}  # none merged at any rate measured
SYSTEMS = {
    "shop": System("shop, WebSocket", partial(shop, transport="socketio", environ=EVERY_CHANGE)),
    "sse": System("shop, SSE", partial(shop, transport="sse", environ=EVERY_CHANGE)),
    "poll": System("shop, long-poll", partial(shop, transport="poll", environ=EVERY_CHANGE)),
    "node": System("Node socket.io", node),
    "floor": System("bare epoll loop", floor),
}
