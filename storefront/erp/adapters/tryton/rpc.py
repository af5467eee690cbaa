"""Tryton's JSON-RPC: signing in, calling, and what its answers mean.

Read from trytond 8.2, `protocols/dispatcher.py`, `protocols/jsonrpc.py` and `rpc.py`: a refusal of the business
kind comes with status 200 and the class of the exception; a lock that was not got in time is 503; a session that
has run out is 401. A transaction is committed before its answer is sent, so an answer that is lost says nothing.
"""

import base64
import json
import time
import weakref
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import requests
from requests.exceptions import ConnectionError as NoConnection
from requests.exceptions import ConnectTimeout
from urllib3.exceptions import NewConnectionError

from storefront.erp.adapter import ErpAmbiguous, ErpAuthFailed, ErpThrottled, ErpUnavailable

CONNECT_SECONDS = 3.05
VISIT_SECONDS = 50.0  # of all calls that one call of the adapter makes: less than the shop's lease
LATE_SECONDS = 15.0  # with less left than this, nothing more is begun that can wait
LOCKED_PAUSES = (0.2, 0.5, 1.0)
THROTTLED_SECONDS = 60.0  # Tryton's rate limits do not say how long
PAGE = 1000


class Refused(Exception):
    """Tryton does not do what it was asked to, for a reason of its own, which are the words."""


class Changed(Exception):
    """Somebody else has changed a record since it was read; nothing was done."""


class _Expired(Exception):
    """The session is over."""


class _Locked(Exception):
    """The database was busy with somebody else."""


class _Failed(Exception):
    """The call was sent, and there is no answer that tells what came of it."""


@dataclass(frozen=True)
class Door:
    """Where Tryton is and who we are there. seconds: how long one answer may take."""

    url: str
    database: str
    user: str
    password: str = field(repr=False)
    seconds: float = 20


class Connection:
    """The way to one database, and the session there, kept for as long as it lasts.

    It is ended with the connection: Tryton reads all sessions of a user at each call, and keeps them for 30 days.
    """

    def __init__(self, door: Door):
        self._door = door
        self._http = requests.Session()
        self._http.trust_env = False  # no proxy, and no ~/.netrc that would overwrite our header
        self._session = ""

    def call(self, method: str, params: Sequence[Any], seconds: float) -> Any:
        """Call a method of a model; sign in where that is needed, once more where the session has run out."""
        for _ in range(2):
            if not self._session:
                self._session = self._sign_in(seconds)
            try:
                return self._post(quote(self._door.database), method, params, seconds, self._session)
            except _Expired:
                self._session = ""
        raise ErpAuthFailed(f"Tryton ends the session of {self._door.user!r} at once.")

    def version(self, seconds: float) -> str:
        """The series of the server, such as 8.2."""
        return str(self._post("", "common.server.version", [], seconds))

    def _sign_in(self, seconds: float) -> str:
        door = self._door
        params = [door.user, {"password": door.password}]
        try:
            user_id, token, *_ = self._post(quote(door.database), "common.db.login", params, seconds)
        except _Expired:
            raise ErpAuthFailed(f"Tryton does not let {door.user!r} in: look at the name and the password.") from None
        session = "Session " + base64.b64encode(f"{door.user}:{user_id}:{token}".encode()).decode()
        weakref.finalize(self, _sign_out, self._http, f"{door.url}/{quote(door.database)}/rpc/", session)
        return session

    def _post(self, database: str, method: str, params: Sequence[Any], seconds: float, session: str = "") -> Any:
        url = "/".join(part for part in (self._door.url, database, "rpc", "") if part) + "/"
        body = json.dumps({"id": 1, "method": method, "params": params}, default=_encode)
        headers = {"Content-Type": "application/json"} | ({"Authorization": session} if session else {})
        timeout = (min(CONNECT_SECONDS, seconds), min(self._door.seconds, seconds))
        try:
            answer = self._http.post(url, body.encode(), headers=headers, timeout=timeout, allow_redirects=False)
        except requests.RequestException as error:
            if _was_not_sent(error):
                raise ErpUnavailable(f"Tryton cannot be reached: {error}") from error
            raise _Failed(f"{method}: {error}") from error
        return _read(answer, method)


def _sign_out(http: requests.Session, url: str, session: str) -> None:
    """End a session, if Tryton is there."""
    body = b'{"id": 1, "method": "common.db.logout", "params": []}'
    headers = {"Content-Type": "application/json", "Authorization": session}
    try:
        http.post(url, body, headers=headers, timeout=CONNECT_SECONDS)
    except requests.RequestException:
        pass


def _was_not_sent(error: requests.RequestException) -> bool:
    reason = getattr(error.args[0], "reason", None) if error.args else None
    refused = isinstance(error, NoConnection) and isinstance(reason, NewConnectionError)
    return refused or isinstance(error, ConnectTimeout | requests.exceptions.SSLError)


def _read(answer: requests.Response, method: str) -> Any:
    match answer.status_code:
        case 200:
            return _result(answer, method)
        case 401:
            raise _Expired
        case 403 | 404:
            raise ErpAuthFailed(f"Tryton answers {method} with {answer.status_code}: look at database and rights.")
        case 429:
            raise ErpThrottled("Tryton asks for a pause.", _pause(answer))
        case 503:
            raise _Locked(f"{method}: {answer.status_code} {answer.text[:300]}")
    raise _Failed(f"{method}: {answer.status_code} {answer.text[:300]}")


def _pause(answer: requests.Response) -> float:
    told = answer.headers.get("Retry-After", "")
    return float(told) if told.isdecimal() else THROTTLED_SECONDS


def _result(answer: requests.Response, method: str) -> Any:
    try:
        found = json.loads(answer.content, object_hook=_decode)
        if "error" not in found:
            return found["result"]
        name, *arguments = found["error"]
    except (ValueError, LookupError, TypeError) as error:
        raise _Failed(f"{method}: the answer cannot be read: {answer.text[:300]!r}") from error
    match name:
        case "UserError":
            raise Refused(" ".join(str(part) for part in arguments[0][:2] if part))
        case "UserWarning":
            raise Refused(" ".join(str(part) for part in arguments[0][1:3] if part))
        case "ConcurrencyException":
            raise Changed
    raise _Failed(f"{method}: {name}")


def _encode(value: Any) -> dict[str, Any]:
    if isinstance(value, Decimal):
        return {"__class__": "Decimal", "decimal": str(value)}
    if isinstance(value, datetime):
        parts = ("year", "month", "day", "hour", "minute", "second", "microsecond")
        return {"__class__": "datetime", **{part: getattr(value, part) for part in parts}}
    raise TypeError(f"Tryton has no word for {value!r}")


def _decode(found: dict[str, Any]) -> Any:
    match found.get("__class__"):
        case "Decimal":
            return Decimal(found["decimal"])
        case "date":
            return date(found["year"], found["month"], found["day"])
    return found


class Visit:
    """All that one call of the adapter does at Tryton; it ends in time, and knows whether it may have left a trace."""

    def __init__(self, connection: Connection):
        self._connection = connection
        self._until = time.monotonic() + VISIT_SECONDS
        self.wrote = False

    @property
    def late(self) -> bool:
        """Whether to leave what is not begun for another visit."""
        return self._until - time.monotonic() < LATE_SECONDS

    def ask(self, method: str, *params: Any, context: Mapping[str, Any] | None = None) -> Any:
        """Read. Raises ErpUnavailable where there is no answer, ErpAuthFailed where we may not."""
        try:
            return self._call(method, [*params, context or {}])
        except (_Failed, _Locked) as error:
            raise ErpUnavailable(str(error)) from error
        except Refused as refusal:
            raise ErpAuthFailed(f"Tryton refuses {method}: {refusal}") from refusal

    def do(self, method: str, *params: Any, context: Mapping[str, Any] | None = None) -> Any:
        """Write: all of it or nothing. Raises Refused and Changed (nothing), ErpAmbiguous (perhaps)."""
        before, self.wrote = self.wrote, True
        try:
            return self._call(method, [*params, context or {}])
        except (_Failed, _Locked) as error:
            raise ErpAmbiguous(str(error)) from error
        except (Refused, Changed, ErpUnavailable, ErpThrottled, ErpAuthFailed):
            self.wrote = before
            raise

    def search(
        self, model: str, domain: Sequence[Any], fields: Sequence[str], context: Mapping[str, Any] | None = None
    ) -> Iterator[dict[str, Any]]:
        """All records of a model, the oldest first, in pages."""
        last = -1
        while True:
            page = self.ask(
                f"model.{model}.search_read", [domain, ["id", ">", last]], 0, PAGE, [["id", "ASC"]], list(fields),
                context=context,
            )  # fmt: skip
            yield from page
            if len(page) < PAGE:
                return
            last = page[-1]["id"]

    def version(self) -> str:
        try:
            return self._connection.version(self._seconds())
        except (_Failed, _Locked, _Expired, Refused) as error:
            raise ErpUnavailable(str(error)) from error

    def _call(self, method: str, params: Sequence[Any]) -> Any:
        for pause in LOCKED_PAUSES:
            try:
                return self._connection.call(method, params, self._seconds())
            except _Locked:
                time.sleep(pause)
        return self._connection.call(method, params, self._seconds())

    def _seconds(self) -> float:
        left = self._until - time.monotonic()
        if left <= 0:
            raise ErpUnavailable(f"Tryton was too slow: {VISIT_SECONDS:.0f} s have not been enough.")
        return left


def create(visit: Visit, model: str, values: Sequence[Mapping[str, Any]]) -> list[int | str]:
    """Create records all at once, or one by one where that is refused; return each one's id, or the refusal's words."""
    try:
        return list(visit.do(f"model.{model}.create", list(values)))
    except Refused:
        return [create_one(visit, model, one) for one in values]


def create_one(visit: Visit, model: str, values: Mapping[str, Any]) -> int | str:
    """Create a record; return its id, or the words with which it was refused."""
    try:
        return int(visit.do(f"model.{model}.create", [values])[0])
    except Refused as refusal:
        return str(refusal)
