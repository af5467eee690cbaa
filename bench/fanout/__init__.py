"""Fan-out: what it costs to tell many viewers of one SKU that its stock has changed, and how soon they know.

Compared in one run, each server on core 0, everything else (viewers, Redis, whoever changes the stock) on core 1:

    shop    a web process of the shop, viewers over WebSocket
    sse     the same, viewers over server-sent events
    poll    the same, viewers over long-poll that ask again at once (a page waits 150 ms first)
    node    Node with socket.io and @socket.io/redis-adapter, the same messages to the same viewers
    floor   a bare epoll loop in C that writes one prebuilt frame to each viewer: the least a server can do

How to read the figures:

- A change is made by the shop's own Lua (`change` in prelude.lua): number, version and announcement in one step. All
  systems hear of it from the same Redis channel.
- Times run from just before a change is sent to Redis until a viewer has read it or a newer one, by one clock; what
  never came counts as late. So merging changes does not make the times look better than what viewers see.
- CPU is that of the server process, all of it, for each message delivered, at the highest of the fixed rates.
- The top rate is the highest at which p99 stays below 100 ms *and* 99 % of the messages come one by one: here the shop
  runs with PUSH_INTERVAL_MS=1, so that its merging of changes is no advantage. It is found by bisection to within a
  few per cent. "merged" is the highest rate tried at which p99 stays below 100 ms though messages were merged.
- Where others use the machine meanwhile, a try in which server or viewers stood in line for a core more than 10 % of
  the time is repeated, up to twice; a time that is not the server's all the same bears a `*`. CPU suffers least of
  that. `--ahead` (as root) lets the scheduler prefer what is measured, at the cost of everybody else.
- Memory is what the server's resident set grew by for each connection more, one second after the last one was made.
- The client's share of its core tells whether the viewers themselves were the limit: well below 100 % they were not.
- The flash sale has the shop's real interval, 40 ms: there merging is the point. The age of the shown value is sampled
  every 2 ms on each viewer: sample time minus the time at which the shown value was made.

Viewers offer no compression, which all systems would have to refuse or pay for. Ratios count, both sides from one run.

    python -m bench fanout                                                  all of it, about 7 minutes
    python -m bench fanout --quick --viewers 1000 --systems shop,node,floor    one figure of each, about 40 s
    python -m bench fanout --quick --systems '' --flash 1000                   the flash sale only
"""

import argparse
import os
import resource
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.fanout import flash, report
from bench.fanout.cell import Cell, Plan, measure
from bench.fanout.native import compile_all
from bench.fanout.stage import CLIENT_CORE, Stage
from bench.fanout.systems import SYSTEMS, LeftOut
from bench.shoppers import pin

VIEWERS = (100, 500, 1000, 2000)
FLASH_VIEWERS = (1000, 5000)
WITH_EVERY_COUNT = ("shop", "node", "floor")  # the others are measured with 1,000 viewers, unless told otherwise
USUAL_VIEWERS = 1000
OTHER_FILES = 100
AHEAD = -15  # as `nice` counts


def main(words: Sequence[str] = ()) -> None:
    """Measure what the options ask for; print."""
    options = read(words)
    if not (shutil.which("cc") and hasattr(os, "sched_setaffinity")):
        print("\nFan-out was left out: its viewers are a C program for Linux, and there is no `cc` here.")
        return
    with tempfile.TemporaryDirectory() as folder, on_client_core(), ahead(options.ahead):
        programs = compile_all(Path(folder))
        with Stage(Path(folder) / "shop", programs) as stage:
            cells = compare(stage, options)
            report.ratios(cells)
            for viewers in options.flash:
                flash.report(flash.measure(stage, viewers))


def compare(stage: Stage, options: argparse.Namespace) -> list[Cell]:
    """A table for each number of viewers, printed as soon as it is measured."""
    cells: list[Cell] = []
    missing: set[str] = set()
    for viewers in options.viewers if options.systems else ():
        of_this = []
        for name in options.systems:
            if name in missing or not (options.everywhere or name in WITH_EVERY_COUNT or viewers == USUAL_VIEWERS):
                continue
            try:
                of_this.append(measure(stage, name, viewers, options.plan))
            except LeftOut as reason:
                missing.add(name)
                print(f"\n{SYSTEMS[name].title} was left out: {reason}")
        report.table(viewers, of_this)
        cells += of_this
    return cells


def read(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench fanout", description="Fan-out, measured.")
    parser.add_argument("--viewers", type=numbers, metavar="N,…", help="how many at once, by turns")
    parser.add_argument("--systems", type=names, metavar="NAME,…", help=", ".join(SYSTEMS))
    parser.add_argument("--flash", type=numbers, metavar="N,…", help="viewers of the flash sale")
    parser.add_argument("--ahead", action="store_true", help="go before everybody else on this machine (root only)")
    parser.add_argument("--quick", action="store_true", help="shorter, coarser, and no flash sale unless asked for")
    options = parser.parse_args(words)
    options.everywhere = options.systems is not None
    options.viewers = VIEWERS if options.viewers is None else options.viewers
    options.systems = list(SYSTEMS) if options.systems is None else options.systems
    options.flash = options.flash if options.flash is not None else () if options.quick else FLASH_VIEWERS
    options.viewers, options.flash = affordable(options.viewers), affordable(options.flash)
    options.plan = Plan.quick() if options.quick else Plan()
    return options


def affordable(counts: Sequence[int]) -> list[int]:
    """Those for which a process may open enough files; says which are left out."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    for count in counts:
        if count + OTHER_FILES > most:
            print(f"\n{count:,} viewers were left out: a process may open {most:,} files here (`ulimit -Hn`).")
    return [count for count in counts if count + OTHER_FILES <= most]


def numbers(text: str) -> list[int]:
    return [int(word) for word in text.split(",") if word]


def names(text: str) -> list[str]:
    chosen = [word for word in text.split(",") if word]
    unknown = [name for name in chosen if name not in SYSTEMS]
    if unknown:
        raise argparse.ArgumentTypeError(f"there is no {unknown[0]!r}: choose among {', '.join(SYSTEMS)}")
    return chosen


@contextmanager
def on_client_core() -> Iterator[None]:
    """Run this process and all it starts on the client's core, with as many open files as it may have."""
    cores = os.sched_getaffinity(0)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    pin(0, CLIENT_CORE)
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextmanager
def ahead(wanted: bool) -> Iterator[None]:
    """Let the scheduler prefer this session to others; Linux weighs sessions before processes."""
    weight = Path("/proc/self/autogroup")
    if wanted and weight.exists():
        before = weight.read_text().rpartition(" ")[2]
        try:
            weight.write_text(str(AHEAD))
        except PermissionError:
            sys.exit("--ahead is for root only.")
        try:
            yield
        finally:
            weight.write_text(before)
    else:
        yield
