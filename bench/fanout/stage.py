"""What all systems share: one Redis with one SKU in it, and the script that changes its stock."""

import signal
import subprocess
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Self

from redis import Redis

import storefront.stock
from bench.fanout.native import Programs
from bench.shoppers import pin
from storefront.stock import keys
from tests.browser.stocked_shop import StockedShop
from tests.running import COMMANDS, ROOT

SERVER_CORE, CLIENT_CORE = {0}, {1}
PLENTY = 9_999_999
PRELUDE = Path(storefront.stock.__file__).with_name("prelude.lua")
CHANGE = "local _, version = change(KEYS[1], ARGV[1], -1) return version"


class Stage(StockedShop):
    """A shop of which only the web process is started, on the server's core, anew for each measurement."""

    def __init__(self, folder: Path, programs: Programs):
        folder.mkdir()
        super().__init__(folder, web=1, counts={PLENTY: 1}, RATELIMIT_ENABLED="false")
        self.programs = programs

    def __enter__(self) -> Self:
        super().__enter__()
        self.stop_web()
        self.client = Redis(unix_socket_path=str(self.redis.socket_path), decode_responses=True)
        self.script = self.client.script_load(f"{PRELUDE.read_text()}\n{CHANGE}")
        self.sku = self.item(PLENTY).sku
        return self

    def _spawn(self, name: str) -> None:
        if not name.startswith("web"):
            return  # worker and clock would only take time from what is measured
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = start_on_server_core(COMMANDS["web"], cwd=ROOT, env=self.environ, stderr=log)

    def start_web(self, environ: Mapping[str, str]) -> int:
        """Start the web process with these settings; its process id."""
        self.environ |= environ
        self._spawn("web.1")
        self.wait_ready()
        return self.processes["web.1"].pid

    def stop_web(self) -> None:
        self.stop(["web.1"], signal.SIGKILL)  # how it says goodbye to thousands is measured by nobody

    @property
    def redis_socket(self) -> str:
        return str(self.redis.socket_path)

    @property
    def level_key(self) -> str:
        return keys.level(self.sku)

    def version(self) -> int:
        return int(self.client.hget(self.level_key, "version") or 0)

    def units_left(self) -> int:
        return int(self.client.hget(self.level_key, "available") or 0)


def start_on_server_core(command: list[str], **options: Any) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, preexec_fn=partial(pin, 0, SERVER_CORE), **options)
