"""The viewers' program: many connections to one server, and the changes they are told of."""

import json
import subprocess
from dataclasses import dataclass
from typing import Any, Self

from bench.fanout.stage import Stage
from bench.fanout.systems import Server

MOST_IN_LINE = 0.1  # Redis, on the viewers' core, is a part of that


@dataclass(frozen=True)
class Push:
    """What came of some changes. A time is None where it concerns something that never came."""

    watching: int
    changes: int
    expected: int  # messages, if none are merged
    messages: int
    waits: int  # (change, viewer) pairs of which the viewer came to show it or a newer one
    refused: int  # times that a viewer was told to ask again later
    p50_ms: float | None
    p99_ms: float | None
    worst_ms: float | None
    age_p50_ms: float | None
    age_p99_ms: float | None
    lowest: int  # the least number that a viewer shows in the end, and the greatest
    highest: int
    cpu_us: int  # of the server
    client_share: float  # of its core
    in_line: float  # share of the time that server or viewers were ready to run and had no core

    @property
    def cpu_us_each(self) -> float:
        return self.cpu_us / max(1, self.messages)

    @property
    def disturbed(self) -> bool:
        """Whether neighbours on this machine took so much of it that the times are not the server's."""
        return self.in_line > MOST_IN_LINE

    @property
    def one_by_one(self) -> bool:
        """Whether (but for 1 %) every change came in a message of its own."""
        return self.messages >= 0.99 * self.expected

    def within(self, limit_ms: float) -> bool:
        """Whether (but for 1 %) viewers showed each change, or a newer one, in time."""
        return self.p99_ms is not None and self.p99_ms < limit_ms


class Viewers:
    """A running program; see native/viewers.c for what it understands."""

    def __init__(self, stage: Stage, server: Server):
        words = [server.transport, server.port, server.pid, stage.sku, stage.redis_socket, stage.script]
        words += [stage.level_key, stage.version()]
        command = [str(stage.programs.viewers), *map(str, words)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()

    def open(self, count: int) -> None:
        """Connect until there are `count`. Raises RuntimeError where some cannot."""
        answer = self._ask(f"open {count}")
        if answer["watching"] != count:
            raise RuntimeError(f"{answer['watching']} of {count} viewers could connect, {answer['gone']} were cut")

    def push(self, rate: float, seconds: float, limit_ms: float = 0) -> Push:
        """Change the stock at `rate` per second. limit_ms: give up once it is clear that p99 lies above."""
        return Push(**self._ask(f"push {rate} {seconds} {limit_ms}"))

    def _ask(self, command: str) -> dict[str, Any]:
        assert self.process.stdin and self.process.stdout
        print(command, file=self.process.stdin, flush=True)
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the viewers' program has ended ({self.process.wait()})")
        return json.loads(line)
