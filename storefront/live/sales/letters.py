"""Letters: what is told to one or to many, encoded once for each kind of line; and who reads them."""

import json
import threading
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

from storefront.live.line import Line
from storefront.live.streams import chunk_of
from storefront.live.wire import frame_of

SOCKET_IO_EVENT = "42"  # a message of Engine.IO (protocol 4) that is an event of Socket.IO (protocol 5)


@dataclass(frozen=True)
class Letter:
    """One event."""

    event: str
    data: dict[str, Any]

    @property
    def key(self) -> str:
        """Of letters with the same key a slow reader needs the newest only."""
        return f"{self.event}:{self.data['sale']}"

    @cached_property
    def frame(self) -> bytes:
        """As a WebSocket carries it to a Socket.IO client."""
        return frame_of(SOCKET_IO_EVENT + json.dumps([self.event, self.data], separators=(",", ":")))

    @cached_property
    def text(self) -> str:
        """As a server-sent event."""
        return f"event: {self.event}\ndata: {json.dumps(self.data, separators=(',', ':'))}\n\n"

    @cached_property
    def chunk(self) -> bytes:
        return chunk_of(self.text)


class Reader(Protocol):
    """A line of one client."""

    def read(self, letter: Letter) -> None: ...


class SocketReader:
    """A Socket.IO client over a straight wire."""

    def __init__(self, wire: Line):
        self._wire = wire

    def read(self, letter: Letter) -> None:
        self._wire.offer(letter.key, letter.frame)


class PollingReader:
    """A Socket.IO client that Socket.IO itself has to write to."""

    def __init__(self, socketio: Any, sid: str):
        self._socketio = socketio
        self._sid = sid

    def read(self, letter: Letter) -> None:
        self._socketio.emit(letter.event, letter.data, to=self._sid, ignore_queue=True)


class StreamReader:
    """A stream that goes on without its request."""

    def __init__(self, stream: Line):
        self._stream = stream

    def read(self, letter: Letter) -> None:
        self._stream.offer(letter.key, letter.chunk)


class WaitingReader:
    """A request that waits: it keeps the newest of each kind until they are taken."""

    def __init__(self) -> None:
        self._newest: dict[str, Letter] = {}
        self._lock = threading.Lock()
        self._news = threading.Event()
        self._heir: Reader | None = None
        self.has_left = False

    def read(self, letter: Letter) -> None:
        if self._heir:
            return self._heir.read(letter)
        with self._lock:
            self._newest[letter.key] = letter
            self._news.set()

    def leave(self) -> None:
        """The client has hung up: let nobody wait for it any longer."""
        self.has_left = True
        self._news.set()

    def hand_over(self, heir: Reader) -> None:
        """Have `heir` read what has come, and what comes from now on."""
        self._heir = heir
        for letter in self.wait(0):
            heir.read(letter)

    def wait(self, seconds: float) -> list[Letter]:
        """The letters that came since the last call; waits up to `seconds` for one, unless woken."""
        self._news.wait(seconds)
        with self._lock:
            letters, self._newest = list(self._newest.values()), {}
            self._news.clear()
        return letters
