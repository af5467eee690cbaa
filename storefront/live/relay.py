"""The relay: passes stock changes from Redis on to the clients of this process.

Of each SKU only the newest state counts. A quiet SKU's change goes out at once; further ones wait
for the end of the interval, so that a client gets at most one message per SKU and interval, and
always the last one.
"""

import json
import logging
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from redis import Redis
from redis.client import PubSub
from redis.exceptions import RedisError

from storefront.stock import keys, levels
from storefront.stock.stockroom import Stockroom

IDLE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 2.0

log = logging.getLogger(__name__)


class Outlet(Protocol):
    """Where states go besides the listeners: the Socket.IO rooms."""

    def tell(self, state: dict[str, Any]) -> None: ...

    def watched(self) -> Iterable[str]: ...


class Listener:
    """One SSE or long-poll client: it keeps the newest state per SKU until it is taken, so it cannot grow."""

    def __init__(self, skus: Iterable[str]):
        self.skus = frozenset(skus)
        self._newest: dict[str, dict[str, Any]] = {}
        self._lock = threading.Lock()
        self._news = threading.Event()

    def tell(self, state: dict[str, Any]) -> None:
        with self._lock:
            self._newest[state["sku"]] = state
            self._news.set()

    def wait(self, seconds: float) -> list[dict[str, Any]]:
        """The states that came since the last call; waits up to `seconds` for one."""
        self._news.wait(seconds)
        with self._lock:
            states, self._newest = list(self._newest.values()), {}
            self._news.clear()
        return states


class Relay:
    """Reads the stock channel of one Redis and feeds the rooms and listeners of one process."""

    def __init__(self, room: Stockroom, bus: Redis, interval_ms: int, outlet: Outlet):
        self.room = room
        self.hearing = False
        self._bus = bus
        self._interval = interval_ms / 1000
        self._outlet = outlet
        self._listeners: dict[str, set[Listener]] = {}
        self._sent_at: dict[str, float] = {}
        self._waiting: dict[str, dict[str, Any]] = {}
        self._version: dict[str, int] = {}

    @contextmanager
    def listen(self, skus: Iterable[str]) -> Iterator[Listener]:
        """A listener for `skus`, for the length of the block."""
        listener = Listener(skus)
        for sku in listener.skus:
            self._listeners.setdefault(sku, set()).add(listener)
        try:
            yield listener
        finally:
            for sku in listener.skus:
                self._listeners[sku].discard(listener)
                if not self._listeners[sku]:
                    del self._listeners[sku]

    def run(self) -> None:
        """Relay for ever; a Redis that goes away is sought again, and what was missed is read anew."""
        pause = 0.1
        while True:
            try:
                with self._bus.pubsub(ignore_subscribe_messages=True) as pubsub:
                    pubsub.subscribe(keys.CHANNEL)
                    self.resync()
                    self.hearing, pause = True, 0.1
                    while True:
                        self._turn(pubsub)
            except RedisError as error:
                log.warning("the stock channel is down, trying again: %s", error)
            except Exception:
                log.exception("the relay stumbled; it subscribes again")
            self.hearing = False
            time.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    def _turn(self, pubsub: PubSub) -> None:
        message = pubsub.get_message(timeout=self._until_due())
        if message:
            self._take(json.loads(message["data"]))
        self._flush()

    def _until_due(self) -> float:
        if not self._waiting:
            return IDLE_SECONDS
        due = min(self._sent_at[sku] for sku in self._waiting) + self._interval
        return max(0.001, due - time.monotonic())

    def _take(self, change: dict[str, Any]) -> None:
        if "rebuilt" in change:
            self.resync()
        elif change["version"] > self._version.get(change["sku"], 0):
            self._version[change["sku"]] = change["version"]
            self._waiting[change["sku"]] = change

    def _flush(self) -> None:
        now = time.monotonic()
        for sku in [sku for sku in self._waiting if now - self._sent_at.get(sku, 0.0) >= self._interval]:
            self._sent_at[sku] = now
            self._tell(self.room.level(**self._waiting.pop(sku)).as_json())

    def _tell(self, state: dict[str, Any]) -> None:
        self._outlet.tell(state)
        for listener in list(self._listeners.get(state["sku"], ())):
            listener.tell(state)

    def resync(self) -> None:
        """Tell every watched SKU's present state, whatever was told before."""
        watched = {*self._listeners, *self._outlet.watched()}
        for level in levels.read(self.room, watched).values():
            self._tell(level.as_json())
