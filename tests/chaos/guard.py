"""Ends the servers of a chaos run whose runner was killed; a program of its own, with the class that talks to it.

`python guard.py` reads `+PID` and `-PID` lines; at the end of stdin it ends whoever is left.
"""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from typing import IO


class Guard:
    """The running program. What it guards ends with this process, however that ends."""

    def __init__(self) -> None:
        command = [sys.executable, "-I", "-S", __file__]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, text=True, start_new_session=True)

    def add(self, pid: int) -> None:
        self._tell(f"+{pid}")

    def remove(self, pid: int) -> None:
        self._tell(f"-{pid}")

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def watch(lines: IO[str]) -> None:
    """Keep the list, and end what is on it when nobody writes any more."""
    guarded: set[int] = set()
    for line in lines:
        (guarded.add if line[0] == "+" else guarded.discard)(int(line[1:]))
    for pid in guarded:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
            os.kill(pid, signal.SIGINT)  # Redis stops, PostgreSQL too and does not wait for its clients


if __name__ == "__main__":
    watch(sys.stdin)
