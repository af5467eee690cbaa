"""The shop's processes: born from zygotes, killed, stopped, continued, and born again as soon as they have died."""

import ctypes
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.chaos.points import point_of
from tests.running import ROOT

PR_SET_CHILD_SUBREAPER = 36
PULSE_SECONDS = 0.01
STOP_SECONDS = 10.0

Plan = dict[str, Any]


class _Zygote:
    """The running zygote program of one kind."""

    def __init__(self, kind: str, pauses_fd: int, log: Path):
        command = [sys.executable, "-m", "tests.chaos.zygote", kind, str(pauses_fd)]
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=out, text=True,
                pass_fds=[pauses_fd],
            )  # fmt: skip
        assert self._process.stdout is not None
        if self._process.stdout.readline() != "ready\n":
            raise RuntimeError(f"a zygote has died; see {log}")

    def fork(self, order: dict[str, Any]) -> int:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(STOP_SECONDS)


@dataclass
class Member:
    """One process that lives, or has just died."""

    name: str
    pid: int
    plan: Plan
    sent: str = ""  # the signal we sent to end it
    resume_at: float = 0.0  # it stands still until then; 0: it runs

    @property
    def kind(self) -> str:
        return self.name.partition(".")[0]


class Family:
    """The members by name. Those in `keep` are born again when they die; `plan_of` says what the new one is to do."""

    def __init__(self, folder: Path, environ: dict[str, str], bug: str = ""):
        self.folder = folder
        self.environ = environ
        self.bug = bug
        self.deaths: Counter[str] = Counter()
        self.pauses: Counter[str] = Counter()
        self.plan_of: Callable[[str], Plan] = lambda kind: {}
        self.pause_seconds: Callable[[], float] = lambda: 1.0
        self.on_event: Callable[[str], None] = lambda event: None
        self.still = threading.RLock()  # held while nobody may be born, killed or continued
        self.members: dict[str, Member] = {}
        self.unplanned: list[str] = []
        self._keep: set[str] = set()
        self._codes: dict[str, int] = {}
        self._closing = threading.Event()
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
        self._pauses_fd, writer = os.pipe()
        os.set_inheritable(writer, True)
        self._zygotes = {kind: _Zygote(kind, writer, folder / "zygote.log") for kind in ("web", "jobs")}
        for target in (self._mind, self._read_pauses):
            threading.Thread(target=target, daemon=True).start()

    # --- birth

    def keep(self, names: Sequence[str]) -> None:
        """Start `names` and start each again whenever it dies."""
        with self.still:
            self._keep.update(names)
            for name in names:
                self.start(name)

    def start(self, name: str, *arguments: Any, plan: Plan | None = None) -> Member:
        """Fork the process `name` ("web.1", "operator.7" …)."""
        with self.still:
            kind = name.partition(".")[0]
            plan = self.plan_of(kind) if plan is None else plan
            order = {
                "kind": kind, "plan": plan, "bug": self.bug, "arguments": arguments, "environ": self.environ,
                "runner": os.getpid(), "log": str(self.folder / f"{name.partition('.')[0]}.log"),
            }  # fmt: skip
            pid = self._zygotes["web" if kind == "web" else "jobs"].fork(order)
            self.members[name] = Member(name, pid, plan)
            return self.members[name]

    def run(self, name: str, *arguments: Any, seconds: float) -> int | None:
        """Start `name` and wait until it has ended; return its exit code, None where it took longer."""
        self.start(name, *arguments)
        deadline = time.monotonic() + seconds
        while name in self.members:
            if time.monotonic() > deadline:
                self.kill(name)
                return None
            time.sleep(PULSE_SECONDS)
        return self._codes.pop(name, None)

    # --- death

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        with self.still:
            member = self.members.get(name)
            if member:
                member.sent = number.name
                with suppress(ProcessLookupError):
                    os.kill(member.pid, number)

    def _mind(self) -> None:
        """Bury the dead, start them again, continue those whose pause is over."""
        while not self._closing.wait(PULSE_SECONDS):
            with self.still:
                for member in [] if self._closing.is_set() else list(self.members.values()):
                    if not self._bury(member) and 0 < member.resume_at < time.monotonic():
                        self._continue(member)

    def _bury(self, member: Member) -> bool:
        code = _ended(member.pid)
        if code is None:
            return False
        with suppress(ProcessLookupError):
            os.killpg(member.pid, signal.SIGKILL)  # what it left behind, such as RQ's scheduler
        del self.members[member.name]
        self._codes[member.name] = code
        self._count(member, code)
        if member.name in self._keep:
            self.start(member.name)
        return True

    def _count(self, member: Member, code: int) -> None:
        point = point_of(code)
        if point:
            event = f"{member.kind} ended at: {point}"
        elif member.sent:
            event = f"{member.kind} {member.sent}"
        else:
            if member.kind != "operator":
                self.unplanned.append(f"{member.name} ended by itself with code {code}")
            return
        self.deaths[event] += 1
        self.on_event(event)

    # --- standing still

    def pause(self, name: str, seconds: float) -> None:
        """SIGSTOP now, SIGCONT after `seconds`."""
        with self.still:
            member = self.members.get(name)
            if member:
                self._note_pause(member, f"{member.kind} SIGSTOP", seconds)
                _signal_group(member.pid, signal.SIGSTOP)

    def _note_pause(self, member: Member, event: str, seconds: float) -> None:
        member.resume_at = time.monotonic() + seconds
        self.pauses[event] += 1
        self.on_event(event)

    def _read_pauses(self) -> None:
        """Processes that stop themselves at a point of the protocol say so before."""
        with os.fdopen(self._pauses_fd) as lines:
            for line in lines:
                with self.still:
                    for member in self.members.values():
                        if member.pid == int(line):
                            event = f"{member.kind} stopped at: {member.plan['point']}"
                            self._note_pause(member, event, self.pause_seconds())

    def _continue(self, member: Member) -> None:
        member.resume_at = 0.0
        _signal_group(member.pid, signal.SIGCONT)
        self.on_event(f"{member.kind} continued")

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Every process stands still for the length of the block; those that stood still before go on doing so."""
        with self.still:
            pids = [member.pid for member in self.members.values()]
            for pid in pids:
                _signal_group(pid, signal.SIGSTOP)
            _wait_stopped(pids)
            try:
                yield
            finally:
                for member in self.members.values():
                    if not member.resume_at:
                        _signal_group(member.pid, signal.SIGCONT)

    def continue_all(self) -> None:
        with self.still:
            for member in self.members.values():
                if member.resume_at:
                    self._continue(member)

    def close(self) -> None:
        """End everything."""
        with self.still:
            self._keep.clear()
            self._closing.set()
            for member in self.members.values():
                _signal_group(member.pid, signal.SIGKILL)
            for member in self.members.values():
                with suppress(ChildProcessError):
                    os.waitpid(member.pid, 0)
        for zygote in self._zygotes.values():
            zygote.close()


def _ended(pid: int) -> int | None:
    """The exit code of a child (below 0: the signal that ended it), None while it lives."""
    done, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if done else None


def _signal_group(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def _wait_stopped(pids: Sequence[int]) -> None:
    deadline = time.monotonic() + STOP_SECONDS
    for pid in pids:
        while not _stands_still(pid):
            if time.monotonic() > deadline:
                raise RuntimeError(f"process {pid} does not stop")
            time.sleep(0.001)


def _stands_still(pid: int) -> bool:
    """Whether no thread of a process runs any more: all are stopped, or it has ended."""
    try:
        stats = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/stat")]
    except OSError:
        return False  # a thread has just ended; look again
    return all(stat.rpartition(")")[2].split()[0] in "TtZX" for stat in stats)


def alive(dice: random.Random, family: Family, kind: str) -> str | None:
    """The name of some member of `kind`."""
    with family.still:
        names = [name for name, member in family.members.items() if member.kind == kind]
    return dice.choice(names) if names else None
