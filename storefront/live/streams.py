"""Server-sent events to many: the connections whose requests are done with and only hear news from now on.

A request that streams for hours keeps its green thread, its environ and its buffers for as long, some
40 KB, and is woken for each event. Where the server can let go of a connection (core/hand_over.py),
the stream goes on here instead: each event is framed once and written straight to every connection.
"""

import json
import time
from collections.abc import Callable, Iterable
from random import randint
from socket import socket
from typing import Any

from storefront.live.line import Line, Unlocked, offer_all

HEARTBEAT_SECONDS = 15
STUCK_SECONDS = 45  # without taking a byte, then a client is cut
BEAT = ": still here\n\n"
COME_BACK_MS = 200, 3_000
LAST_CHUNK = b"0\r\n\r\n"

End = Callable[[], None]
Watch = Callable[[Callable[[], object]], End]

_UNLOCKED = Unlocked()


def event_of(state: dict[str, Any]) -> str:
    """A stock state as an event; its id is the time of the change, for Last-Event-ID."""
    return f"event: stock\nid: {state['at_ms']}\ndata: {json.dumps(state, separators=(',', ':'))}\n\n"


def chunk_of(text: str) -> bytes:
    """A part of a chunked HTTP/1.1 body (RFC 9112, section 7.1)."""
    data = text.encode()
    return b"%x\r\n%b\r\n" % (len(data), data)


class Stream(Line):
    """The line to one client, until it hangs up."""

    __slots__ = ("_forget", "skus")

    def __init__(
        self, connection: socket, skus: Iterable[str], start: Callable[..., Any], forget: Callable[["Stream"], None]
    ):
        connection.settimeout(STUCK_SECONDS)
        super().__init__(connection, start, _UNLOCKED)
        self.skus = frozenset(skus)
        self._forget = forget

    def tell(self, state: dict[str, Any]) -> None:
        self.offer(state["sku"], chunk_of(event_of(state)))

    def gone(self) -> None:
        """The client has hung up."""
        if self.busy:
            super().hang_up()  # the thread that writes to it notices
        else:
            self.hang_up()

    def hang_up(self) -> None:
        super().hang_up()
        self._forget(self)
        self._socket.close()


class Streams:
    """All streams of this process, by SKU."""

    def __init__(self, start: Callable[..., Any]):
        """start: begins a background task."""
        self._start = start
        self._by_sku: dict[str, set[Stream]] = {}
        self._all: dict[Stream, tuple[End, ...]] = {}
        start(self._beat)

    def __len__(self) -> int:
        return len(self._all)

    def add(
        self, connection: socket, skus: Iterable[str], leave: End | None = None, when_gone: Watch | None = None
    ) -> Stream:
        """Go on with a stream for `skus` on `connection`, whose headers and snapshot are out.

        leave: is called when it ends. when_gone: lets it know when its client hangs up, as `Connection.when_gone`;
        without that it is found out by the second beat.
        """
        stream = Stream(connection, skus, self._start, self._forget)
        self._all[stream] = tuple(filter(None, (leave, when_gone and when_gone(stream.gone))))
        for sku in stream.skus:
            self._by_sku.setdefault(sku, set()).add(stream)
        return stream

    def tell(self, state: dict[str, Any]) -> None:
        """Send a stock state to everybody who watches its SKU."""
        watching = self._by_sku.get(state["sku"])
        if watching:
            offer_all(watching, state["sku"], chunk_of(event_of(state)))

    def dismiss(self) -> None:
        """End every stream; the clients come back, to whoever serves then, spread over a few seconds."""
        for stream in list(self._all):
            stream.offer("", chunk_of(f"retry: {randint(*COME_BACK_MS)}\n\n") + LAST_CHUNK)
            stream.hang_up()

    def watched(self) -> list[str]:
        """SKUs that somebody watches."""
        return list(self._by_sku)

    def _forget(self, stream: Stream) -> None:
        for end in self._all.pop(stream, ()):
            end()
        for sku in stream.skus:
            watching = self._by_sku.get(sku, set())
            watching.discard(stream)
            if not watching:
                self._by_sku.pop(sku, None)

    def _beat(self) -> None:
        """Let proxies and clients know that the line is up, and find out which are not."""
        beat = chunk_of(BEAT)
        while True:
            time.sleep(HEARTBEAT_SECONDS)
            offer_all(self._all, "", beat)
