"""Processes that live and end together, with their output on one stream."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import TextIO

from honcho.colour import get_colours
from honcho.printer import Message, Printer

TETHER = Path(__file__).with_name("tether.py")
STOP_SECONDS = 8.0
KILL_SECONDS = 2.0
POLL_SECONDS = 0.05
SHELL_OPERATORS = frozenset("&|;()")


class _Process:
    """A command in a process group of its own; `lines` is what it printed, if that was to be kept."""

    def __init__(self, name: str, popen: "subprocess.Popen[bytes]"):
        self.name = name
        self.popen = popen
        self.lines: list[bytes] = []

    def ended(self) -> bool:
        return self.popen.poll() is not None

    def send(self, number: signal.Signals) -> None:
        try:
            os.killpg(self.popen.pid, number)
        except (ProcessLookupError, PermissionError):  # macOS says EPERM of a group that has just ended
            pass


class ProcessGroup:
    """Starts shell commands and stops all of them together, also when this process is killed.

    honcho reads the Procfile and prints the lines; its manager is not used because what it forks
    lives on when it is killed, and because it cannot wait for one thing before it starts the next.
    """

    def __init__(self, environ: Mapping[str, str], directory: Path, output: TextIO = sys.stdout):
        self._environ = dict(environ)
        self._directory = directory
        self._printer = Printer(output, width=8)
        self._colours: Iterator[str] = get_colours()
        self._printing = threading.Lock()
        self._processes: list[_Process] = []
        self._readers: list[threading.Thread] = []
        self._tether_fd, self._owner_fd = os.pipe()  # see tether.py

    def start(self, name: str, command: str, quiet: bool = False) -> _Process:
        """Start `command` in a shell; its output is printed with `name` before each line, or kept if `quiet`."""
        if not SHELL_OPERATORS & set(command):
            command = f"exec env {command}"  # else some shells stay in between, and go at SIGTERM while it finishes
        words = [sys.executable, "-I", "-S", str(TETHER), str(self._tether_fd), "/bin/sh", "-c", command]
        popen = subprocess.Popen(
            words,
            env=self._environ,
            cwd=self._directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=[self._tether_fd],
            start_new_session=True,  # a Ctrl-C in the terminal is for this process alone, which stops the others
        )
        process = _Process(name, popen)
        self._processes.append(process)
        self._printer.width = max(self._printer.width, len(name))
        reader = threading.Thread(target=self._read, args=(process, quiet, next(self._colours)), daemon=True)
        self._readers.append(reader)
        reader.start()
        return process

    def first_ended(self) -> tuple[str, int] | None:
        """Name and exit code of a process that has ended, None while all run."""
        for process in self._processes:
            if process.ended():
                return process.name, process.popen.returncode
        return None

    def forget(self, process: _Process) -> None:
        """Take no more notice of a process that was meant to end."""
        self._processes.remove(process)

    def stop(self) -> None:
        """SIGTERM to all, SIGKILL after 8 s to those that are still there; return when all have ended."""
        self._send(signal.SIGTERM)
        if not self._wait(STOP_SECONDS):
            self._send(signal.SIGKILL)
            self._wait(KILL_SECONDS)

    def _send(self, number: signal.Signals) -> None:
        for process in self._processes:
            process.send(number)

    def _wait(self, seconds: float) -> bool:
        """Whether all ended in time: the processes, and whatever else holds their output open."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if all(p.ended() for p in self._processes) and not any(r.is_alive() for r in self._readers):
                return True
            time.sleep(POLL_SECONDS)
        return False

    def _read(self, process: _Process, quiet: bool, colour: str) -> None:
        assert process.popen.stdout is not None
        for line in process.popen.stdout:
            if quiet:
                process.lines.append(line)
            else:
                self._print(Message("line", line, datetime.now(), process.name, colour))

    def _print(self, message: Message) -> None:
        with self._printing:
            try:
                self._printer.write(message)
            except OSError:  # nobody reads our output any more; go on emptying the process's pipe
                pass
