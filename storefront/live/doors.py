"""The doors to the live lines: how many may be open, in this process and from one address.

A line is a WebSocket, a stream, a long-poll or a request of Engine.IO's own polling, for as long as
it is open. One too many is refused before it costs anything.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from storefront.core.errors import Unavailable
from storefront.live.counts import counts

PATHS = ("/live/", "/socket.io/")
KEEP_OPEN = "stockbeat.keep_open"  # in the environ: () -> what to call when the line ends, which outlives its request
STATUS = {429: "429 Too Many Requests", 503: "503 Service Unavailable"}
COME_BACK_SECONDS = 5

Application = Callable[..., Iterable[bytes]]
Leave = Callable[[], None]


class TooManyLines(Unavailable):
    code, title = "too_many_lines", "Too many live connections"


class TooManyLinesFromYou(TooManyLines):
    code, status, title = "too_many_lines_from_you", 429, "Too many live connections from your address"


class Doors:
    """Counts the lines that are open."""

    def __init__(self, most: int, most_of_address: int, sessions: Callable[[], int] = lambda: 0):
        """sessions: how many clients of Engine.IO there are, of whom those that poll may have no request open."""
        self.open = 0
        self._most = most
        self._most_of_address = most_of_address
        self._sessions = sessions
        self._by_address: Counter[str] = Counter()

    def enter(self, address: str) -> Leave:
        """Open a line from `address`; return what closes it again. Raises TooManyLines and TooManyLinesFromYou."""
        if self._by_address[address] >= self._most_of_address:
            raise TooManyLinesFromYou(
                f"At most {self._most_of_address} live connections from one address.", COME_BACK_SECONDS
            )
        if max(self.open, self._sessions()) >= self._most:
            raise TooManyLines("This server has as many live connections as it takes.", COME_BACK_SECONDS)
        self.open += 1
        self._by_address[address] += 1
        return lambda: self._leave(address)

    def _leave(self, address: str) -> None:
        self.open -= 1
        self._by_address[address] -= 1
        if not self._by_address[address]:
            del self._by_address[address]

    def guard(self, application: Application) -> Application:
        """`application` behind these doors."""

        def guarded(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            if not environ["PATH_INFO"].startswith(PATHS):
                return application(environ, start_response)
            try:
                leave = self.enter(environ.get("REMOTE_ADDR", ""))
            except TooManyLines as refusal:
                return _tell(refusal, start_response)
            return _pass_on(application, environ, start_response, leave)

        return guarded


def _pass_on(application: Application, environ: dict[str, Any], start_response: Any, leave: Leave) -> Iterator[bytes]:
    kept_open: list[bool] = []

    def keep_open() -> Leave:
        kept_open.append(True)
        return leave

    environ[KEEP_OPEN] = keep_open
    try:
        answer = application(environ, start_response)
        try:
            yield from answer
        finally:
            getattr(answer, "close", lambda: None)()
    finally:
        if not kept_open:
            leave()


def _tell(refusal: TooManyLines, start_response: Callable[..., Any]) -> list[bytes]:
    counts[refusal.code] += 1
    body = json.dumps(refusal.problem()).encode()
    headers = [
        ("Content-Type", "application/problem+json"),
        ("Content-Length", str(len(body))),
        ("Retry-After", str(refusal.retry_after)),
    ]
    start_response(STATUS[refusal.status], headers)
    return [body]
