"""A worker that is killed again and again: `python -m tests.waiting_room.mortal_worker DEATHS SEED`.

The real worker, forked from a program that has imported it already, so that most of its short life
goes into work. Prints how often it was killed.
"""

import os
import random
import signal
import sys
import time
from importlib import import_module

LIFE_SECONDS = 0.03, 0.15


def main(deaths: int, seed: int) -> None:
    worker = import_module("workers.__main__")
    for name in ("workers.jobs", "psycopg2"):  # what it would import late
        import_module(name)
    dice = random.Random(seed)
    for _ in range(deaths):
        child = os.fork()
        if not child:
            try:
                worker.main()
            finally:
                os._exit(1)
        time.sleep(dice.uniform(*LIFE_SECONDS))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    print(deaths)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
