"""The relay: passes stock changes from Redis on to the clients of this process.

Of each SKU only the newest state counts. A quiet SKU's change goes out at once; further ones wait
for the end of the interval, so that a client gets at most one message per SKU and interval, and
always the last one. With more to tell than fits into an interval the intervals get longer; others in
the process get their turn in between, so that shoppers who click are answered meanwhile.
"""

import json
import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Protocol
from uuid import uuid4

from redis import Redis
from redis.client import PubSub
from redis.exceptions import RedisError, TimeoutError

from storefront.live.snapshot import snapshot
from storefront.stock import keys, levels
from storefront.stock.outcomes import Level
from storefront.stock.stockroom import Stockroom

IDLE_SECONDS = 1.0
DEAF_SECONDS = 3.0  # of silence, though we call ourselves every second
LONGEST_PAUSE_SECONDS = 2.0
MOST_AT_ONCE = 1_000  # changes taken in before any is told
BREATH_SECONDS = 0.004  # of telling in a row

log = logging.getLogger(__name__)


class Outlet(Protocol):
    """Where states go besides the listeners: the Socket.IO rooms, the streams."""

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

    def wake(self) -> None:
        """Let nobody wait any longer."""
        self._news.set()

    def wait(self, seconds: float) -> list[dict[str, Any]]:
        """The states that came since the last call; waits up to `seconds` for one, unless woken."""
        self._news.wait(seconds)
        with self._lock:
            states, self._newest = list(self._newest.values()), {}
            self._news.clear()
        return states


class Relay:
    """Reads the stock channel of one Redis and feeds the rooms and listeners of one process."""

    def __init__(self, room: Stockroom, bus: Redis, interval_ms: int, *outlets: Outlet):
        self.room = room
        self.hearing = False
        self._bus = bus
        self._interval = interval_ms / 1000
        self._outlets = outlets
        self._listeners: dict[str, set[Listener]] = {}
        self._sent_at: dict[str, float] = {}
        self._waiting: dict[str, dict[str, Any]] = {}
        self._version: dict[str, int] = {}
        self._told: dict[str, dict[str, Any]] = {}
        self._in_doubt: set[str] = set()  # SKUs that somebody was told are being checked
        self._epoch: Any = None  # of the numbers that were read last
        self._echo = f"live:echo:{uuid4().hex}"
        self._heard_at = self._called_at = 0.0
        self._others: dict[str, tuple[Callable[[Any], None], Callable[[], None]]] = {}

    def hear_for(self, channel: str, tell: Callable[[Any], None], tell_missed: Callable[[], None]) -> None:
        """Listen to a further channel on somebody's behalf; to be called before `run`.

        tell: is given each message, and must return at once. tell_missed: is called when some may have been missed.
        """
        self._others[channel] = tell, tell_missed

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
                    pubsub.subscribe(keys.CHANNEL, self._echo, *self._others)
                    self._heard_at = time.monotonic()
                    self._epoch = self.room.unfenced.get(keys.EPOCH)
                    self.resync()
                    for _, tell_missed in self._others.values():
                        tell_missed()
                    self.hearing, pause = True, 0.1
                    while True:
                        self._turn(pubsub)
            except Exception:
                log.exception("the relay does not hear the stock channel, trying again")
            if not self.hearing:  # the second time: a mere reconnect is nobody's business
                self._tell_checking()
            self.hearing = False
            time.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    def _turn(self, pubsub: PubSub) -> None:
        message, taken = pubsub.get_message(timeout=self._until_due()), 0
        while message:  # all that has come, for what is told should be the newest
            self._heard_at = time.monotonic()
            if message["channel"] == keys.CHANNEL:
                self._take(json.loads(message["data"]))
            elif message["channel"] in self._others:
                self._others[message["channel"]][0](json.loads(message["data"]))
            taken += 1
            message = pubsub.get_message(timeout=0) if taken < MOST_AT_ONCE else None
        self._flush()
        if time.monotonic() - self._called_at >= IDLE_SECONDS:
            self._call()
            self._clear_doubts()

    def _call(self) -> None:
        """Call ourselves over the bus: a connection can die without a word, and who only listens never notices."""
        self._called_at = time.monotonic()
        silence = self._called_at - self._heard_at
        if silence > DEAF_SECONDS:
            raise TimeoutError(f"not a word for {silence:.0f} s")
        with suppress(RedisError):
            self.room.unfenced.publish(self._echo, "")
            self._notice(self.room.unfenced.get(keys.EPOCH))

    def _notice(self, epoch: Any) -> None:
        """Read anew after a rebuild whose process died before it could tell of it."""
        if epoch and epoch != self._epoch:
            self._epoch = epoch
            self.resync()

    def _until_due(self) -> float:
        if not self._waiting:
            return IDLE_SECONDS
        due = min(self._sent_at.get(sku, 0.0) for sku in self._waiting) + self._interval
        return max(0.001, due - time.monotonic())

    def _take(self, change: dict[str, Any]) -> None:
        if "rebuilt" in change:
            self._epoch = str(change["rebuilt"])
            self.resync()
        elif change["version"] > self._version.get(change["sku"], 0):
            self._version[change["sku"]] = change["version"]
            self._waiting[change["sku"]] = change

    def _flush(self) -> None:
        now = breath = time.monotonic()
        for sku in [sku for sku in self._waiting if now - self._sent_at.get(sku, 0.0) >= self._interval]:
            self._sent_at[sku] = now
            self._tell(self.room.level(**self._waiting.pop(sku)).as_json())
            if time.monotonic() - breath > BREATH_SECONDS:
                time.sleep(0)
                breath = time.monotonic()

    def _tell(self, state: dict[str, Any]) -> None:
        self._told[state["sku"]] = state
        for outlet in self._outlets:
            outlet.tell(state)
        for listener in list(self._listeners.get(state["sku"], ())):
            listener.tell(state)

    def resync(self) -> None:
        """Tell every watched SKU's present state, whatever was told before."""
        for level in self._read(self._watched()):
            self._tell(level.as_json())

    def snapshot(self, skus: Sequence[str]) -> dict[str, Any]:
        """As `snapshot.snapshot`; what it can only call "checking" is told to all as soon as it is known."""
        answer = snapshot(self.room, skus)
        self._in_doubt.update(state["sku"] for state in answer["stock"] if state["state"] == "checking")
        return answer

    def newest(self, skus: Sequence[str]) -> list[dict[str, Any]] | None:
        """The states of `skus` as they were told last, without asking anybody; None where that is not known for all."""
        if not self.hearing or not self._told.keys() >= set(skus):
            return None
        return [self._told[sku] for sku in skus]

    def _read(self, skus: set[str]) -> Iterable[Level]:
        found = levels.read(self.room, skus).values()
        checking = {level.sku for level in found if level.state == "checking"}
        self._in_doubt = (self._in_doubt - skus) | checking
        return found

    def _tell_checking(self) -> None:
        for sku in self._watched() - self._in_doubt:
            self._in_doubt.add(sku)
            self._tell(levels.checking(sku).as_json())

    def _clear_doubts(self) -> None:
        for level in self._read(set(self._in_doubt)):
            if level.state != "checking":
                self._tell(level.as_json())

    def _watched(self) -> set[str]:
        return {*self._listeners, *(sku for outlet in self._outlets for sku in outlet.watched())}
