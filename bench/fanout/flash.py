"""The flash sale: far more changes of one SKU than anybody can be told of one by one."""

import time
from dataclasses import dataclass

from bench.fanout.report import in_ms
from bench.fanout.stage import Stage
from bench.fanout.systems import shop
from bench.fanout.viewers import Push, Viewers
from bench.table import print_table

CHANGES_PER_SECOND = 5000
SECONDS = 5
INTERVAL_MS = 40  # the shop's default
GOALS_MS = {1000: 80, 5000: 150}


@dataclass(frozen=True)
class Sale:
    viewers: int
    seconds: float
    push: Push
    available: int  # in the end, by Redis

    @property
    def right(self) -> bool:
        """Whether every viewer shows the last number."""
        return self.push.watching == self.viewers and self.push.lowest == self.push.highest == self.available


def measure(stage: Stage, viewers: int) -> Sale:
    running = shop(stage, transport="socketio", environ={"PUSH_INTERVAL_MS": str(INTERVAL_MS)})
    with running as server, Viewers(stage, server) as crowd:
        crowd.open(viewers)
        start = time.monotonic()
        push = crowd.push(CHANGES_PER_SECOND, SECONDS)
        return Sale(viewers, time.monotonic() - start, push, stage.units_left())


def report(sale: Sale) -> None:
    push, goal = sale.push, GOALS_MS.get(sale.viewers)
    met = goal and push.age_p99_ms is not None and push.age_p99_ms <= goal and sale.right
    told = push.messages / sale.viewers / sale.seconds
    rows = [
        ["age of the shown value in ms, p50 / p99", f"{in_ms(push.age_p50_ms)} / {in_ms(push.age_p99_ms)}"],
        ["goal for p99", f"{goal} ms: {'met' if met else 'missed'}" if goal else "none"],
        ["last value right on all of them", "yes" if sale.right else f"no: {push.lowest} to {push.highest}"],
        ["messages to each viewer per second", f"{told:.1f}"],
        ["CPU of the web process", f"{push.cpu_us / sale.seconds / 1e6:.0%}, {push.cpu_us_each:.1f} µs per message"],
        ["the viewers' share of their core", f"{push.client_share:.0%}"],
    ]
    title = f"Flash sale: {CHANGES_PER_SECOND:,} changes/s for {SECONDS} s, {sale.viewers:,} viewers over WebSocket"
    print_table(title, [f"PUSH_INTERVAL_MS={INTERVAL_MS}", "measured"], rows)
