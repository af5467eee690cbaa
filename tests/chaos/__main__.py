"""`python -m tests.chaos`: random histories, a wiped Redis, a long run of faults, and the test of the checker itself.

Exit code 1 on any violation, and where the checker misses a planted bug. An option names one part alone.
"""

import argparse
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.chaos import bugs, histories, wiped
from tests.chaos.honesty import find_all
from tests.chaos.run import Outcome, run
from tests.chaos.table import print_table
from tests.chaos.timeline import Weather
from tests.chaos.world import World


def main() -> int:
    if sys.platform != "linux":
        sys.exit("The chaos suite needs Linux: it freezes processes and becomes the parent of their children.")
    chosen = _parse()
    began = time.monotonic()
    everything = not (chosen.model or chosen.wiped or chosen.honesty or chosen.bug or chosen.run)
    good = True
    if chosen.model or everything:
        good = histories.play_all(chosen.histories, chosen.seed, chosen.database, chosen.redis_server)
    if chosen.wiped or everything:
        scene = wiped.play(chosen.database, chosen.redis_server)
        print(f"{scene}\n", flush=True)
        good &= scene.good
    if chosen.run or everything or (chosen.bug and not chosen.honesty):
        good &= _run(chosen)
    if chosen.honesty or everything:
        good &= find_all(chosen.seed, chosen.database, chosen.redis_server, chosen.bug or bugs.NAMES)
    print(f"\n{'Good' if good else 'FAILED'}, seed {chosen.seed}, {time.monotonic() - began:.0f} s")
    return 0 if good else 1


def _run(chosen: argparse.Namespace) -> bool:
    bug = chosen.bug[0] if chosen.bug else ""
    print(f"Chaos for {chosen.seconds:.0f} s on {chosen.database}, seed {chosen.seed} {bug}", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="stockbeat-chaos-"))
    with World(folder, chosen.database, bug=bug, redis=chosen.redis_server) as world:
        outcome = run(world, chosen.seed, chosen.seconds, Weather())
    print_table(outcome)
    return _judge(outcome, folder)


def _judge(outcome: Outcome, folder: Path) -> bool:
    """Whether all was well; where not, say everything about the first violation and keep logs and data."""
    if outcome.good:
        shutil.rmtree(folder, ignore_errors=True)
        print("\nNothing was lost, nothing was sold twice.\n", flush=True)
        return True
    print(f"\nFAILED with seed {outcome.seed}. Logs and data are in {folder}")
    for violation in outcome.violations[:1]:
        print(f"{violation.kind}: {violation.what}\n\n{outcome.evidence}\n")
    if outcome.error:
        print(f"the checker could not go on: {outcome.error!r}")
    print("What happened last:", *outcome.timeline.log[-40:], sep="\n", flush=True)
    return False


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    parser.add_argument("--histories", type=int, default=1_500, help="how many random histories are played")
    parser.add_argument("--seconds", type=float, default=500.0, help="how long the run's faults and load last")
    parser.add_argument("--database", choices=("postgres", "sqlite"), default="postgres")
    parser.add_argument("--redis-server", help="the program to run as Redis (default: as the shop finds it)")
    parser.add_argument("--bug", action="append", choices=bugs.NAMES, help="plant a protocol bug in the run")
    parser.add_argument("--model", action="store_true", help="the random histories against the plain model alone")
    parser.add_argument("--run", action="store_true", help="the run of faults alone")
    parser.add_argument("--wiped", action="store_true", help="the wiped Redis during 64 parallel checkouts alone")
    parser.add_argument("--honesty", action="store_true", help="plant each bug (or those named) in turn, find each")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
