"""Runs one command and ends it when the process that asked for it has died: a program of its own.

It takes only the standard library and imports nothing of the shop, so it starts in a few milliseconds:

    python -I -S tether.py FD COMMAND [ARGUMENT…]

FD is the reading end of a pipe whose writing end the owner keeps open and never writes to. The kernel
closes it however the owner ends, kill -9 included, on Linux and macOS alike. This process must lead a
group of its own: everything in the group gets SIGTERM then, and SIGKILL after GRACE_SECONDS.
"""

import os
import signal
import subprocess
import sys
import threading
import time

GRACE_SECONDS = 6.0


def end_with_owner(fd: int) -> None:
    os.read(fd, 1)
    os.killpg(0, signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    os.killpg(0, signal.SIGKILL)


def main(fd: int, command: list[str]) -> int:
    """Return the exit code of `command`, 128 + n where signal n ended it."""
    # Signals to the group reach the command too (exec resets these handlers); this process outlives it to report.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    child = subprocess.Popen(command)
    threading.Thread(target=end_with_owner, args=(fd,), daemon=True).start()
    code = child.wait()
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
