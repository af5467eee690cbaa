"""Requests to other servers, over which the shop keeps the upper hand: where they go, how long they may take.

The name of a server is looked up once, every address it has is checked, and the connection goes to one that was:
between the check and the connection nobody can move the name elsewhere (DNS rebinding). TLS still proves the name.
The environment has no say: no proxies, no passwords from a netrc file.
"""

import os
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from threading import Timer
from typing import Any
from urllib.parse import urljoin, urlsplit

from requests import PreparedRequest, Request, RequestException, Response
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError
from urllib3.util.connection import create_connection

from storefront.core.addresses import Address, Unresolved, is_public, real_address, resolve

CONNECT_SECONDS = 5.0
MOST_REPLY_BYTES = 8 * 1024 * 1024
MOST_REDIRECTS = 3
PIECE_BYTES = 64 * 1024
SAME_AGAIN = (307, 308)  # the redirects after which a POST is still a POST


class NotSent(Exception):
    """Nothing of a request has reached the server."""


class NoReply(Exception):
    """A request was sent, wholly or in part, and its reply did not come, or not in one piece."""


@dataclass(frozen=True)
class Reply:
    """What a server has answered; `body` as it came over the wire."""

    url: str
    status: int
    headers: Mapping[str, str]  # in any case
    body: bytes


@dataclass(frozen=True)
class Outbound:
    """How requests are made.

    wait_seconds: for each piece of a reply. seconds: for the whole call. private: also into private networks.
    loopback: to this machine where the URL itself names it, but not where a redirect does.
    """

    wait_seconds: float
    seconds: float
    private: bool = False
    loopback: bool = False

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        """Post `body`, following at most three redirects of 307 and 308. Raises NotSent, NoReply."""
        ends_at = time.monotonic() + self.seconds
        reply = self._send(url, body, headers, ends_at, self.loopback)
        for _ in range(MOST_REDIRECTS):
            if not _leads_on(reply):
                return reply
            reply = self._send(_next_url(reply), body, headers, ends_at, loopback=False)
        if _leads_on(reply):
            raise NotSent(f"{_shown(url)} redirects more than {MOST_REDIRECTS} times")
        return reply

    def _send(self, url: str, body: bytes, headers: Mapping[str, str], ends_at: float, loopback: bool) -> Reply:
        trip = _Trip(ends_at, self.private, loopback)
        watch = Timer(trip.seconds_left(), trip.cut)
        watch.daemon = True
        watch.start()
        try:
            request = Request("POST", url, headers={"Accept-Encoding": "identity", **headers}, data=body).prepare()
            reply = self._exchange(request, trip)
        except (RequestException, HTTPError, OSError, ValueError) as error:
            raise trip.failure(_shown(url), error) from error
        finally:
            watch.cancel()
        if trip.late:
            raise trip.failure(_shown(url))
        return reply

    def _exchange(self, request: PreparedRequest, trip: "_Trip") -> Reply:
        adapter = _TripAdapter(trip)
        trusted = os.environ.get("SSL_CERT_FILE") or True  # OpenSSL's own variable, as for mail
        try:
            waits = (trip.connect_seconds(), self.wait_seconds)
            response = adapter.send(request, stream=True, timeout=waits, verify=trusted)
            return Reply(request.url or "", response.status_code, response.headers, _read(response))
        finally:
            adapter.close()


def _read(response: Response) -> bytes:
    body = bytearray()
    for piece in response.raw.stream(PIECE_BYTES, decode_content=False):
        body += piece
        if len(body) > MOST_REPLY_BYTES:
            raise NoReply(f"the reply is larger than {MOST_REPLY_BYTES} bytes")
    return bytes(body)


def _leads_on(reply: Reply) -> bool:
    return reply.status in SAME_AGAIN and "Location" in reply.headers


def _next_url(reply: Reply) -> str:
    place = reply.headers["Location"][:1000]
    try:
        url = urljoin(reply.url, place)
        if urlsplit(url).scheme in ("https", urlsplit(reply.url).scheme):
            return url
    except ValueError:
        pass  # an address that is none
    raise NotSent(f"{_shown(reply.url)} answers {reply.status} and leads to {place[:200]!r}, where nothing is sent")


def _shown(url: str) -> str:
    """A URL as it may stand in a message: no password, no query, nothing endless."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "what should be a URL"
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"[:200]


class _Trip:
    """One request on its way to one server, and its reply."""

    def __init__(self, ends_at: float, private: bool, loopback: bool):
        self._ends_at, self._private, self._loopback = ends_at, private, loopback
        self._sock: socket.socket | None = None
        self.late = False

    def seconds_left(self) -> float:
        return max(0.0, self._ends_at - time.monotonic())

    def connect_seconds(self) -> float:
        return max(0.01, min(CONNECT_SECONDS, self.seconds_left()))  # 0 would mean: without waiting

    def connect(self, host: str, port: int) -> socket.socket:
        """A connection to one of the addresses of `host`, all of which are allowed. Raises NotSent."""
        try:
            addresses = resolve(host, port, self.connect_seconds())
        except Unresolved as error:
            raise NotSent(str(error)) from error
        for address in addresses:
            if not self._may_go_to(address):
                raise NotSent(f"{host} is at {address}, which is no public address")
        return self._reach(addresses, port)

    def _may_go_to(self, address: Address) -> bool:
        return self._private or is_public(address) or (self._loopback and real_address(address).is_loopback)

    def _reach(self, addresses: list[Address], port: int) -> socket.socket:
        failure: OSError | None = None
        for address in addresses:
            try:
                options = HTTPConnection.default_socket_options
                return create_connection((str(address), port), self.connect_seconds(), socket_options=options)
            except OSError as error:
                failure = error
        raise NotSent(f"no connection to {addresses[0]}, port {port}: {failure}") from failure

    def begin(self, sock: socket.socket) -> None:
        """From here on the server may get something. Raises NotSent where there is no time left for that."""
        self._sock = sock
        if self.late:
            raise NotSent("there was no time left to send anything")

    def cut(self) -> None:
        """The time is up: whoever waits for this server wakes up now. Runs in a thread of its own."""
        self.late = True
        try:
            if self._sock is not None:
                self._sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # the reply has just come to its end

    def failure(self, url: str, error: Exception | None = None) -> Exception:
        """What it means that this trip came to nothing."""
        words = "it takes too long" if self.late or error is None else _words(error)
        return (NoReply if self._sock is not None else NotSent)(f"{url}: {words}")


def _words(error: Exception) -> str:
    """The innermost reason of an error; around it requests and urllib3 tell of pools and retries."""
    inner: Any = error.args[0] if error.args and isinstance(error.args[0], Exception) else error
    reason = getattr(inner, "reason", None) or inner
    return f"{type(reason).__name__}: {reason}"


class _Guarded:
    """A connection of urllib3's that goes where its trip allows. (Its SOCKS support replaces the same method.)"""

    host: str
    port: int
    sock: Any
    _dns_host: str

    def __init__(self, *args: Any, trip: _Trip, **options: Any):
        super().__init__(*args, **options)
        self._trip = trip

    def _new_conn(self) -> socket.socket:
        return self._trip.connect(self._dns_host, self.port)

    def connect(self) -> None:
        super().connect()  # type: ignore[misc]
        self._trip.begin(self.sock)


class _Http(_Guarded, HTTPConnection):
    pass


class _Https(_Guarded, HTTPSConnection):
    pass


class _HttpPool(HTTPConnectionPool):
    ConnectionCls = _Http


class _HttpsPool(HTTPSConnectionPool):
    ConnectionCls = _Https


class _TripAdapter(HTTPAdapter):
    """What requests sends one trip through."""

    def __init__(self, trip: _Trip):
        super().__init__(pool_connections=1, pool_maxsize=1)
        pools: dict[str, Any] = {"http": partial(_HttpPool, trip=trip), "https": partial(_HttpsPool, trip=trip)}
        self.poolmanager.pool_classes_by_scheme = pools
