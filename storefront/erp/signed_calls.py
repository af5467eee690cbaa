"""Signed calls to a server of somebody else's, and what its answers mean for what was sent."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from storefront.core.config import Reader
from storefront.core.outbound import NoReply, NotSent, Outbound, Reply
from storefront.core.signing import BadSignature, Signer
from storefront.erp.adapter import BatchRejected, ErpAmbiguous, ErpAuthFailed, ErpError, ErpThrottled, ErpUnavailable

LONGEST_PAUSE_SECONDS, USUAL_PAUSE_SECONDS = 300.0, 10.0
LONGEST_WORDS = 500
LONGEST_WAIT_SECONDS = 25  # a call may take twice that, and has to end before its lease (see exchange.py) does
NOT_ALLOWED = (401, 403)
NOT_THIS = (400, 413, 422)  # the request can be read, and what it asks for will not be done
WHO_KNOWS = (408, 409, 425)


class NotThere(ErpUnavailable):
    """The server knows no such call (404)."""


def read_calls(read: Reader, prefix: str, development: bool) -> "SignedCalls":
    """The calls that PREFIX_URL and its fellows say; what is wrong with them is noted in `read.problems`.

    In development the server may be on this very machine.
    """
    url = _required(read, f"{prefix}_URL", "https://HOST/PATH or http://HOST/PATH", check_url)
    secrets = "a secret of 16 characters or more; two, separated by a space, while one replaces the other"
    signer = _required(read, f"{prefix}_SECRET", secrets, Signer)
    private = read.choice(f"{prefix}_ALLOW_PRIVATE", "no", ("yes", "no")) == "yes"
    seconds = read.number(f"{prefix}_SECONDS", 10, 1, LONGEST_WAIT_SECONDS)
    signed_replies = read.choice(f"{prefix}_SIGNED_REPLIES", "no", ("yes", "no")) == "yes"
    return SignedCalls(url, signer, Outbound(seconds, 2.0 * seconds, private, loopback=development), signed_replies)


def _required(read: Reader, name: str, allowed: str, parse: Callable[[str], Any]) -> Any:
    if not read.environ.get(name, "").strip():
        read.problems.append(f"{name} is missing: give {allowed}.")
    return read.take(name, None, allowed, parse)


def check_url(raw: str) -> str:
    """`raw` without the slash at its end, where calls can be made below it. Raises ValueError."""
    url = urlsplit(raw)
    good = url.scheme in ("http", "https") and url.hostname and url.port != 0
    if not good or url.query or url.fragment or not raw.isascii() or not raw.isprintable() or " " in raw:
        raise ValueError(raw)
    return raw.rstrip("/")


class SignedCalls:
    """Posts JSON, signed, to a URL and what lies below it."""

    def __init__(self, url: str, signer: Signer, outbound: Outbound, signed_replies: bool = False):
        """signed_replies: an answer about what was sent counts only with a signature, and for this very request."""
        self._url, self._signer, self._outbound, self._signed_replies = url, signer, outbound, signed_replies

    @property
    def seconds(self) -> float:
        """No call takes longer."""
        return self._outbound.seconds

    def ask(self, path: str, body: Any) -> bytes:
        """Ask something; it changes nothing, so whatever goes wrong it can be asked again. Raises ErpError."""
        return self._call(path, body, str(uuid4()), ErpUnavailable)

    def tell(self, path: str, body: Any, message_id: str) -> bytes:
        """Tell something that may have arrived although no answer did. Raises ErpError, with ErpAmbiguous for that.

        message_id: the same each time that this is told.
        """
        return self._call(path, body, message_id, ErpAmbiguous)

    def _call(self, path: str, body: Any, message_id: str, lost: type[ErpError]) -> bytes:
        """lost: what it means where nobody can say what the server has done."""
        content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        headers = {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "Stockbeat"}
        signature = self._signer.headers(message_id, content)
        try:
            reply = self._outbound.post(self._url + path, content, headers | signature)
        except NotSent as error:
            raise ErpUnavailable(str(error)) from error
        except NoReply as error:
            raise lost(str(error)) from error
        self._check_signature(reply, message_id, lost)
        refusal = refusal_of(reply, lost)
        if refusal:
            raise refusal
        return reply.body

    def _check_signature(self, reply: Reply, message_id: str, lost: type[ErpError]) -> None:
        """Only of what the server says about what was sent: "not now" often comes from a proxy that has no secret."""
        if not self._signed_replies or not (reply.status < 300 or reply.status in NOT_THIS):
            return
        try:
            self._signer.check(message_id, reply.headers, reply.body)
        except BadSignature as error:
            raise lost(f"answered {_named(reply.status)}, but not signed as agreed: {error}") from error


def refusal_of(reply: Reply, lost: type[ErpError]) -> ErpError | None:
    """The error that a status stands for; None where it says that all is well. Its texts decide nothing."""
    status, words = reply.status, words_of(reply)
    if 200 <= status < 300:
        return None
    if status == 429 or (status == 503 and "Retry-After" in reply.headers):
        return ErpThrottled(words, pause_of(reply.headers))
    if status in NOT_ALLOWED:
        return ErpAuthFailed(words)
    if status in NOT_THIS and lost is ErpAmbiguous:
        return BatchRejected(words)
    if status == 404:
        return NotThere(words)
    if status >= 500 or status in WHO_KNOWS:
        return lost(words)
    return ErpUnavailable(words)


def pause_of(headers: Mapping[str, str]) -> float:
    """The seconds that `Retry-After` asks for, from 0 to 300; a usual pause where it says nothing that can be read."""
    asked = headers.get("Retry-After", "").strip()
    try:
        seconds = float(asked) if asked.isascii() and asked.isdigit() else _seconds_until(asked, headers)
    except ValueError:
        return USUAL_PAUSE_SECONDS
    return min(max(seconds, 0.0), LONGEST_PAUSE_SECONDS)


def _seconds_until(date: str, headers: Mapping[str, str]) -> float:
    """By the server's own clock where it tells it, for ours may differ. Raises ValueError."""
    now = _time(headers["Date"]) if "Date" in headers else datetime.now(UTC)
    return (_time(date) - now).total_seconds()


def _time(date: str) -> datetime:
    """A date as in mail and HTTP, in which UTC may go without saying. Raises ValueError."""
    time = parsedate_to_datetime(date)
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def words_of(reply: Reply) -> str:
    """What an answer says for people: `detail` or `title` of its problem document (RFC 9457), else its status."""
    try:
        found = json.loads(reply.body)
        told = [found[name] for name in ("detail", "title") if isinstance(found.get(name), str) and found[name].strip()]
    except (ValueError, RecursionError, AttributeError):
        told = []
    return f"{_named(reply.status)}: {in_short(told[0])}" if told else _named(reply.status)


def _named(status: int) -> str:
    return f"{status} {HTTPStatus(status).phrase}" if status in set(HTTPStatus) else str(status)


def in_short(told: str) -> str:
    """Somebody else's words, fit for a line in a table: not too long, and nothing in them that cannot be printed."""
    return "".join(sign if sign.isprintable() else " " for sign in told[:LONGEST_WORDS]).strip()


def read_object(body: bytes) -> dict[str, Any]:
    """The JSON object in an answer. Raises ValueError, also where a name is in an object twice."""
    try:
        found = json.loads(body.decode(), object_pairs_hook=_once_each, parse_constant=_no_number)
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    if not isinstance(found, dict):
        raise ValueError("no JSON object")
    return found


def _no_number(word: str) -> None:
    raise ValueError(f"{word} is no JSON")


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name is in an object twice")
    return found
