"""The checker's own test: six protocol bugs, planted one at a time, each of which it must find."""

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.chaos import bugs
from tests.chaos.run import Outcome, run
from tests.chaos.timeline import Weather
from tests.chaos.world import World

SECONDS = 75.0

# For each bug the weather in which it does harm: where processes end or stand still, and what Redis suffers.
WEATHERS = {
    "no-epoch-check": Weather(
        process_seconds=0, sql_seconds=0, redis_seconds=1.0, crash_share=0.0, pause_share=1.0, pause_seconds=(1.5, 2.5),
        web_points=("reserve taken, not journalled",), worker_points=(), redis_faults=("FLUSHALL",),
    ),
    "scripts-on-demand": Weather(
        process_seconds=0, sql_seconds=0, redis_seconds=3.0, crash_share=0.0, pause_share=0.0,
        redis_faults=("set back to an older file", "power cut"),
    ),
    "sweep-returns-sold": Weather(
        process_seconds=0, sql_seconds=0, redis_seconds=0, crash_share=1.0,
        web_points=("order committed, not settled",), worker_points=(),
    ),
    "no-tombstone": Weather(
        process_seconds=0, sql_seconds=0, redis_seconds=0, crash_share=0.0, pause_share=1.0, pause_seconds=(11.0, 12.0),
        web_points=("reserve taken, not journalled",), worker_points=(),
    ),
    "no-compare-and-set": Weather(
        process_seconds=0, sql_seconds=0, redis_seconds=0, crash_share=0.0, pause_share=1.0, pause_seconds=(4.5, 5.5),
        web_points=("order not begun",), worker_points=(),
    ),
    "redis-before-sql": Weather(
        process_seconds=0, sql_seconds=0, redis_seconds=0, crash_share=0.3, pause_share=0.7, pause_seconds=(0.5, 1.5),
        web_points=("bug: between Redis and SQL",), worker_points=("bug: between Redis and SQL",),
    ),
}  # fmt: skip


def find_all(seed: int, database: str, redis: str | None, names: Sequence[str]) -> bool:
    """Plant each of `names` in turn; return whether the checker has found all of them."""
    print(f"Honesty of the checker on {database}, seed {seed}", flush=True)
    missed = [name for name in names if not _find(name, seed, database, redis)]
    print(f"NOT FOUND: {', '.join(missed)}" if missed else f"All {len(names)} planted bugs were found.")
    return not missed


def _find(name: str, seed: int, database: str, redis: str | None) -> bool:
    folder = Path(tempfile.mkdtemp(prefix="stockbeat-chaos-"))
    try:
        with World(folder, database, bug=name, redis=redis) as world:
            outcome = run(world, seed, SECONDS, WEATHERS[name], check_seconds=0.4)
        print(_words(name, outcome), flush=True)
        return bool(outcome.violations)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _words(name: str, outcome: Outcome) -> str:
    if not outcome.violations:
        return f"  {name:<20} NOT FOUND in {outcome.seconds:.0f} s {outcome.error or ''}"
    first = outcome.violations[0]
    return f"  {name:<20} found after {outcome.seconds:5.1f} s: {first.kind}: {first.what[:160]}"


assert set(WEATHERS) == set(bugs.NAMES)
