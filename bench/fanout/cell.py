"""One system with one number of viewers, measured."""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass

from bench.fanout.stage import Stage
from bench.fanout.systems import SYSTEMS
from bench.fanout.viewers import Push, Viewers

LIMIT_MS = 100
LEAST_RATE, MOST_RATE = 1.0, 500.0  # beyond that the changes of one millisecond meet, and the shop would merge them
MANY = 2000
WARM_UP_VIEWERS, WARM_UP_RATE, WARM_UP_SECONDS = 20, 20, 1
SETTLE_SECONDS = 1.0
TRIES = 3


@dataclass(frozen=True)
class Plan:
    """How long and how finely to measure."""

    rates: tuple[float, ...] = (5, 20, 50)
    most_for_many: float = 40  # changes per second for 2,000 viewers and more
    seconds: float = 3.0
    search_seconds: float = 2.5
    search_steps: int = 6

    @classmethod
    def quick(cls) -> "Plan":
        return cls(rates=(5, 50), seconds=2.0, search_seconds=1.5, search_steps=5)

    def rates_for(self, viewers: int) -> list[float]:
        return [min(rate, self.most_for_many) if viewers >= MANY else rate for rate in self.rates]


@dataclass(frozen=True)
class Cell:
    """What was measured. pushes: by changes per second. Rates are 0 where none was good enough."""

    system: str
    viewers: int
    kb_each: float
    pushes: Mapping[float, Push]
    top_rate: float  # in time and one by one
    top_rate_merged: float  # in time, where a newer change may stand for an older one

    @property
    def cpu_us(self) -> float:
        """Of the server, for each message delivered, at the highest of the fixed rates."""
        return self.pushes[max(self.pushes)].cpu_us_each


def measure(stage: Stage, system: str, viewers: int, plan: Plan) -> Cell:
    """Start the system anew and measure it with so many viewers."""
    with SYSTEMS[system].running(stage) as server, Viewers(stage, server) as crowd:
        crowd.open(WARM_UP_VIEWERS)
        crowd.push(WARM_UP_RATE, WARM_UP_SECONDS)
        before_kb = server.resident_kb()
        crowd.open(viewers)
        time.sleep(SETTLE_SECONDS)
        kb_each = (server.resident_kb() - before_kb) / (viewers - WARM_UP_VIEWERS)
        pushes: dict[float, Push] = {
            rate: push_undisturbed(crowd, rate, plan.seconds) for rate in plan.rates_for(viewers)
        }
        tried = dict(pushes)
        top_rate = search(crowd, tried, plan)
        return Cell(system, viewers, kb_each, pushes, top_rate, top_rate_merged(crowd, tried, plan))


def push_undisturbed(crowd: Viewers, rate: float, seconds: float, limit_ms: float = 0) -> Push:
    """The first of a few pushes that neighbours did not disturb, or that was good enough all the same."""
    for _ in range(TRIES):
        push = crowd.push(rate, seconds, limit_ms)
        if not push.disturbed or (limit_ms and push.within(limit_ms)):
            break
    return push


def search(crowd: Viewers, tried: dict[float, Push], plan: Plan) -> float:
    """The highest rate that holds, by bisection from what was tried; 0 where none does. Adds what it tries."""

    def holds(rate: float) -> bool:
        if rate not in tried:
            tried[rate] = push_undisturbed(crowd, rate, plan.search_seconds, LIMIT_MS)
        return tried[rate].within(LIMIT_MS) and tried[rate].one_by_one

    low = max(filter(holds, list(tried)), default=0.0)
    high = min((rate for rate in tried if rate > low), default=MOST_RATE)
    if not low:
        low = LEAST_RATE
        if not holds(low):
            return 0
    if holds(high):
        return high
    for _ in range(plan.search_steps):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


def top_rate_merged(crowd: Viewers, tried: dict[float, Push], plan: Plan) -> float:
    """The highest of the rates tried at which viewers were told in time, be it by a newer change; 0 where none was."""
    in_time = {rate: push for rate, push in tried.items() if push.within(LIMIT_MS)}
    if MOST_RATE not in tried and not all(push.one_by_one for push in in_time.values()):
        push = push_undisturbed(crowd, MOST_RATE, plan.search_seconds, LIMIT_MS)
        in_time |= {MOST_RATE: push} if push.within(LIMIT_MS) else {}
    return max(in_time, default=0.0)
