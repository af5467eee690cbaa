"""Gathering: calls that come within a few milliseconds of each other are answered by one piece of work."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class Pending(Generic[Item, Answer]):
    """An item on its way, and what became of it; one thread may wait for it."""

    __slots__ = ("_answer", "_done", "_error", "_origin", "item")

    def __init__(self, item: Item):
        self.item = item
        self._done = threading.Lock()  # free once it is done; an Event would be three locks
        self._done.acquire()
        self._answer: list[Answer] = []
        self._error: Exception | None = None

    def wait(self, seconds: float) -> Answer:
        """The answer. Raises TimeoutError where it did not come in time, and what the work raised."""
        if not self._done.acquire(timeout=max(0.0, seconds)):
            raise TimeoutError
        if self._error:
            raise self._error.with_traceback(self._origin)  # others raise it too, each would make it longer
        return self._answer[0]

    def settle(self, answer: Answer) -> None:
        self._answer.append(answer)
        self._done.release()

    def fail(self, error: Exception) -> None:
        self._error, self._origin = error, error.__traceback__
        self._done.release()


class Gathering(Generic[Item, Answer]):
    """Lets one thread at a time do `work` on all that has come meanwhile; without calls there is no thread."""

    def __init__(self, name: str, work: Callable[[Sequence[Item]], Sequence[Answer]], seconds: float, most: int):
        """work: answers up to `most` items, in their order. seconds: how long further items are waited for."""
        self._name = name
        self._work = work
        self._seconds = seconds
        self._most = most
        self._pending: list[Pending[Item, Answer]] = []
        self._lock = threading.Lock()
        self._working = False

    def put(self, item: Item) -> Pending[Item, Answer]:
        """Have `item` worked on."""
        pending: Pending[Item, Answer] = Pending(item)
        with self._lock:
            self._pending.append(pending)
            start, self._working = not self._working, True
        if start:
            self._start()
        return pending

    def _start(self) -> None:
        try:
            threading.Thread(target=self._work_all, name=self._name, daemon=True).start()
        except RuntimeError:  # no thread to be had just now: the next item tries again
            self._working = False
            raise

    def _work_all(self) -> None:
        while True:
            if len(self._pending) < self._most:
                time.sleep(self._seconds)
            with self._lock:
                batch, self._pending = self._pending[: self._most], self._pending[self._most :]
                if not batch:
                    self._working = False
                    return
            self._answer(batch)

    def _answer(self, batch: list[Pending[Item, Answer]]) -> None:
        try:
            answers = self._work([pending.item for pending in batch])
        except Exception as error:
            for pending in batch:
                pending.fail(error)
        else:
            for pending, answer in zip(batch, answers, strict=True):
                pending.settle(answer)
