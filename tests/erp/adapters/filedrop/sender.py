"""A program that sends batches as the shop does, and is killed again and again in the middle of it.

python -m tests.erp.adapters.filedrop.sender FOLDER KILLS SEED SEVERAL: prints how many batches were marked as sent,
SEVERAL of them at once. Every sender is a child of its own; what one has marked is kept in a file beside FOLDER, and
the next goes on after it.
"""

import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from storefront.erp.adapter import Batch
from storefront.erp.adapters.filedrop.adapter import FileDrop
from storefront.erp.adapters.filedrop.folder import LocalFolder
from tests.erp.adapters.filedrop.orders import batch, line, order

LONGEST_LIFE_SECONDS = 0.06


def numbered(sequence: int) -> Batch:
    """The batch of this number, the same for every sender."""
    return batch(sequence, *(order(50 * sequence + place, line(1), line(2, "CAP", place)) for place in range(1, 21)))


def send(folder: Path, marks: Path, several: int) -> None:
    """Send one batch after the other, or several at once, without end."""
    adapter = FileDrop(LocalFolder(folder))
    while True:
        first = marked(marks) + 1
        adapter.submit_several([numbered(first + place) for place in range(several)])
        draft = marks.with_suffix(".draft")
        draft.write_text(str(first + several - 1))
        draft.rename(marks)


def marked(marks: Path) -> int:
    return int(marks.read_text()) if marks.exists() else 0


def run_and_kill(work: Callable[[], None], seconds: float) -> None:
    """Let a child do `work`, and kill it after so many seconds."""
    child = os.fork()
    if not child:
        try:
            work()
        finally:
            os._exit(1)  # it was to be killed
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if not os.WIFSIGNALED(status):
        sys.exit("a sender ended by itself")


def main() -> None:
    folder, kills, dice, several = (
        Path(sys.argv[1]),
        int(sys.argv[2]),
        random.Random(int(sys.argv[3])),
        int(sys.argv[4]),
    )
    marks = folder.with_suffix(".marks")
    for _ in range(kills):
        run_and_kill(lambda: send(folder, marks, several), dice.uniform(0.001, LONGEST_LIFE_SECONDS))
    print(marked(marks))


if __name__ == "__main__":
    main()
