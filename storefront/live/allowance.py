"""What one socket may ask for: so many events a second, so many SKUs to watch."""

import time
from collections.abc import Iterable

from storefront.core.errors import Unavailable

EVENTS_PER_SECOND = 20
BURST = 60
MOST_WATCHED = 1_000


class TooManyEvents(Unavailable):
    code, status, title = "too_many_events", 429, "Too many messages"


class TooManySkus(Unavailable):
    code, status, title = "too_many_skus", 429, "Too many SKUs are watched"


class Allowance:
    """A bucket of tokens, one for each event, and the SKUs watched so far."""

    def __init__(self) -> None:
        self._tokens = float(BURST)
        self._filled_at = time.monotonic()
        self._watched: set[str] = set()

    def spend(self) -> None:
        """Take note of an event. Raises TooManyEvents."""
        now = time.monotonic()
        self._tokens = min(BURST, self._tokens + (now - self._filled_at) * EVENTS_PER_SECOND)
        self._filled_at = now
        if self._tokens < 1:
            raise TooManyEvents(f"At most {EVENTS_PER_SECOND} messages a second; this one was not looked at.")
        self._tokens -= 1

    def watch(self, skus: Iterable[str]) -> None:
        """Take note of what is watched. Raises TooManySkus, and then nothing is noted."""
        watched = self._watched.union(skus)
        if len(watched) > MOST_WATCHED:
            raise TooManySkus(f"At most {MOST_WATCHED} SKUs over one connection; unwatch some first.")
        self._watched = watched

    def unwatch(self, skus: Iterable[str]) -> None:
        self._watched = self._watched.difference(skus)
