"""A whole sale: the crowd joins, some leave, the rest is let in and buys until nothing is left."""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from redis import Redis

from bench.queue.joining import announce
from bench.reserve import OneWebProcess
from bench.table import percentile, print_table
from tests.postgres import PostgresMissing, PostgresServer
from tests.running import ROOT

UNITS = 1000
CHUNKS = 10
LEAVING, NO_SHOWS = 0.3, 0.1
RATE, ACTIVE = 100, 400
GRACE_SECONDS = 3
SAMPLE = 2000
WATCHED_SECONDS = 30  # the farthest hear of their place within that time
SLOW_US = 1000


class Helper:
    """A program that does what it is told, one line of JSON at a time."""

    def __init__(self, environ: dict[str, str], module: str, *arguments: str):
        command = [sys.executable, "-W", "ignore", "-m", module, *arguments]
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )  # fmt: skip
        self._read()

    def __enter__(self) -> Self:
        return self

    def __call__(self, do: str, **arguments: Any) -> dict[str, Any]:
        self.send(do, **arguments)
        return self._read()

    def send(self, do: str, **arguments: Any) -> None:
        assert self.process.stdin
        self.process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
        self.process.stdin.flush()

    def _read(self) -> dict[str, Any]:
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.process.args} has ended")
        return json.loads(line)

    receive = _read

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()


def simulate(words: list[str]) -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(prog="python -m bench queue")
    parser.add_argument("--people", type=int, default=1_000_000)
    parser.add_argument("--viewers", type=int, default=2_000, help="how many of them wait on real sockets")
    options = parser.parse_args(words)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        settings = {"LIVE_CONNECTIONS_PER_ADDRESS": "10000", **database(stack)}
        shop = stack.enter_context(OneWebProcess(folder, web=1, counts={UNITS: 1}, **settings))
        sku = shop.item(UNITS).sku
        announce(shop, sku, RATE, ACTIVE, "--grace-seconds", str(GRACE_SECONDS))
        shop.flask("sale", "pause", "drop")
        crowd = stack.enter_context(Helper(shop.environ, "bench.queue.crowd", "drop"))
        viewers = stack.enter_context(Helper(shop.environ, "bench.queue.viewers", str(shop.port), "drop"))
        Simulation(shop, crowd, viewers, options.people, options.viewers).run(sku)


def database(stack: ExitStack) -> dict[str, str]:
    """Settings for PostgreSQL, on which sales of this size run; none, that is SQLite, where there is no server."""
    try:
        server = stack.enter_context(PostgresServer(durable=True))
    except PostgresMissing as missing:
        print(f"\nOn SQLite: {missing}")
        return {}
    return {"DATABASE_URL": server.url(server.create()), "APP_ENV": "development"}


class Simulation:
    """One sale from the first to join to the last unit."""

    def __init__(self, shop: OneWebProcess, crowd: Helper, viewers: Helper, people: int, sockets: int):
        self.shop, self.crowd, self.viewers, self.people, self.sockets = shop, crowd, viewers, people, sockets
        self.redis = Redis.from_url(shop.redis.url, decode_responses=True)
        self.rows: list[list[object]] = []

    def run(self, sku: str) -> None:
        self.redis.config_set("slowlog-log-slower-than", SLOW_US)
        self.redis.config_set("slowlog-max-len", 10_000)
        self.redis.slowlog_reset()
        self._join()
        self._leave()
        self._watch()
        self._sell(sku)
        self._report_redis()
        print_table(
            f"A sale of {UNITS} units: {self.people:,} people, {self.sockets:,} on sockets", ["", ""], self.rows
        )
        print(self.shop.flask("sale", "show", "drop").stdout, flush=True)

    def _row(self, name: str, value: str) -> None:
        self.rows.append([name, value])

    def _join(self) -> None:
        before = self.redis.info("memory")["used_memory"]
        seconds = 0.0
        for _ in range(CHUNKS):
            joined = self.viewers("join", people=self.sockets // CHUNKS)
            self.crowd("others", ordinals=joined["ordinals"])
            seconds += self.crowd("join", people=(self.people - self.sockets) // CHUNKS)["seconds"]
        crowd = self.people - self.sockets
        grown = self.redis.info("memory")["used_memory"] - before
        self._row("joins per second, one process", f"{crowd / seconds:,.0f} ({crowd:,} in {seconds:.1f} s)")
        self._row("Redis' memory for the queue", f"{grown / 1e6:.0f} MB, {grown / self.people:.0f} bytes each")

    def _leave(self) -> None:
        left = self.crowd("leave", share=LEAVING)["left"]
        checked = self.crowd("check", sample=SAMPLE)
        self._row(f"position error of {SAMPLE:,}, {left:,} having left", str(checked["error"]))
        self._row("a look at a place, gathered", f"{checked['us']:.0f} us")

    def _watch(self) -> None:
        """The sockets hear where they stand; with the sale paused, the last word must be exact."""
        before, spent = self.viewers("tell")["messages"], self._web_seconds()
        time.sleep(WATCHED_SECONDS + 5)
        told = self.viewers("tell")
        share = (self._web_seconds() - spent) / (WATCHED_SECONDS + 5)
        truth = self.crowd("positions", ordinals=[ordinal for ordinal, _ in told["places"]])["positions"]
        errors = [abs((known or 0) - true) for (_, known), true in zip(told["places"], truth, strict=True)]
        self._row("position error on the sockets, paused", str(max(errors)))
        self._row("sockets lost", str(told["gone"]))
        self._row("web process while paused", f"{share:.1%} of a core, {told['messages'] - before:,} messages")

    def _sell(self, sku: str) -> None:
        before, spent, began = self.viewers("tell")["messages"], self._web_seconds(), time.monotonic()
        self.shop.flask("sale", "resume", "drop")
        sold = self.crowd("buy", units=UNITS, sku=sku, no_shows=NO_SHOWS)
        share = (self._web_seconds() - spent) / (time.monotonic() - began)
        time.sleep(3)
        told = self.viewers("tell")
        self._row("units sold", f"{sold['bought']} to {sold['let_in']} who were let in")
        self._row(
            "web process while people are let in", f"{share:.1%} of a core, {told['messages'] - before:,} messages"
        )
        self._row("positions that rose", str(told["rose"]))
        late = [at - sold["last_at"] for at in told["sold_out_at"] if at is not None]
        self._row('told "sold out"', f"{len(late):,} of {self.sockets:,}")
        self._row("after the last unit was taken", f"p50 {percentile(late, 50):.2f} s, last {max(late):.2f} s")

    def _report_redis(self) -> None:
        slow = [one["duration"] for one in self.redis.slowlog_get(10_000)]
        worst = max(slow, default=0)
        self._row("Redis' slowest command", f"{worst / 1000:.1f} ms; {len(slow)} took over {SLOW_US / 1000:.0f} ms")

    def _web_seconds(self) -> float:
        """CPU seconds the web process has spent."""
        fields = Path(f"/proc/{self.shop.processes['web.1'].pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / 100
