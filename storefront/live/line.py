"""A line to one client: written to without waiting, as long as the connection takes what it is given."""

import time
from collections.abc import Callable, Collection
from contextlib import suppress
from socket import SHUT_RDWR
from typing import Any, Protocol

BREATH = 500  # lines written to in a row: some 4 ms


class Lock(Protocol):
    """A semaphore held while a message is on its way, so that no other comes between."""

    counter: int  # 0 while it is held

    def acquire(self, blocking: bool = True) -> bool: ...

    def release(self, /) -> object: ...


class Unlocked:
    """The lock of a connection that nobody else writes to."""

    counter = 1

    def acquire(self, blocking: bool = True) -> bool:
        return True

    def release(self) -> None:
        pass


class Line:
    """Sends at once what the connection takes at once.

    If it does not, a thread waits until it does, and meanwhile each key keeps its newest message
    only: a slow reader holds one value per key, not a queue.
    """

    __slots__ = ("_newest", "_socket", "_start", "busy", "lock", "write")

    def __init__(self, socket: Any, start: Callable[..., Any], lock: Lock):
        """socket: one of the green kind, whose `fd` never waits. start: begins a background task."""
        self.busy = False
        self._socket = socket
        self._start = start
        self.lock = lock
        self.write = socket.fd.send
        self._newest: dict[str, bytes] | None = None

    def offer(self, key: str, message: bytes) -> None:
        """Send `message`, unless a newer one of its `key` comes before the connection takes it."""
        if not self.busy:
            self.send(message)
            return
        if self._newest is None:
            self._newest = {}
        self._newest[key] = message

    def send(self, message: bytes) -> None:
        """Send `message` on a line that is not busy."""
        if self.lock.counter <= 0:
            self._go_on(message)
            return
        try:
            sent = self.write(message)
        except BlockingIOError:
            self._go_on(message)
        except OSError:
            self.hang_up()
        else:
            if sent < len(message):
                self.finish(message, sent)

    def finish(self, message: bytes, sent: int) -> None:
        """Have the rest of a message sent of which `sent` bytes are out; nothing may come between."""
        self.lock.acquire(blocking=False)
        self._go_on(message[sent:], locked=True)

    def wake(self) -> None:
        """Have the thread look for what there is to do."""
        if not self.busy:
            self._go_on(b"")

    def _go_on(self, remainder: bytes, locked: bool = False) -> None:
        self.busy = True
        self._start(self._flush, remainder, locked)

    def _flush(self, remainder: bytes, locked: bool) -> None:
        """Send `remainder` and what has come since, waiting as long as it takes; `locked`: the lock is held for it."""
        try:
            while remainder:
                if not locked:
                    self.lock.acquire()
                try:
                    self._socket.sendall(remainder)
                finally:
                    self.lock.release()
                    locked = False
                remainder = self.take()
        except OSError:  # it is gone, or took nothing for the length of its time-out
            self.hang_up()
        else:
            self.rest()

    def take(self) -> bytes:
        """All that waits now."""
        newest, self._newest = self._newest or {}, None
        return b"".join(newest.values())

    def rest(self) -> None:
        """Nothing waits any more."""
        self.busy = False

    def hang_up(self) -> None:
        """End the connection, also for the thread that reads from it; nothing is sent any more."""
        self.busy = True
        with suppress(OSError):
            self._socket.shutdown(SHUT_RDWR)


def offer_all(lines: Collection[Line], key: str, message: bytes) -> None:
    """As `offer` on each of `lines`, with the usual case written out: it is most of what a web process does."""
    size, every = len(message), list(lines)
    for start in range(0, len(every), BREATH):
        if start:
            time.sleep(0)  # others want to run, too
        for line in every[start : start + BREATH]:
            if line.busy or line.lock.counter <= 0:
                line.offer(key, message)
                continue
            try:
                sent = line.write(message)
            except OSError:
                line.send(message)
            else:
                if sent < size:
                    line.finish(message, sent)
