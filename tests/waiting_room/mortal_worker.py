"""A worker that is killed again and again: `python -m tests.waiting_room.mortal_worker DEATHS SEED`.

The real worker, forked from a program that has imported it already. Each lives until it has let
somebody in, and a moment longer. Prints how often it was killed.
"""

import os
import random
import signal
import sys
import time
from importlib import import_module

from redis import Redis

from storefront.waiting_room import keys

LONGEST_LIFE_SECONDS = 3.0
LAST_MOMENT_SECONDS = 0.06


def main(deaths: int, seed: int) -> None:
    worker = import_module("workers.__main__")
    for name in ("workers.jobs", "psycopg2"):  # what it would import late
        import_module(name)
    dice = random.Random(seed)
    with Redis.from_url(os.environ["REDIS_URL"]) as redis:
        for _ in range(deaths):
            before = admitted(redis)
            child = os.fork()
            if not child:
                try:
                    worker.main()
                finally:
                    os._exit(1)
            born_at = time.monotonic()
            while admitted(redis) == before and time.monotonic() < born_at + LONGEST_LIFE_SECONDS:
                time.sleep(0.001)
            time.sleep(dice.uniform(0, LAST_MOMENT_SECONDS))
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
    print(deaths)


def admitted(redis: Redis) -> int:
    """How many have been let in."""
    return int(redis.hget(keys.head("drop"), "admitted") or 0)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
