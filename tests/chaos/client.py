"""One visitor's connection to the shop: it loses answers, and asks again with the same key."""

import http.client
import json
import time
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import uuid4

from flask import Flask
from itsdangerous import URLSafeTimedSerializer

from storefront.core.sessions import Sessions

ANSWER_SECONDS = 6.0
ATTEMPTS = 12
PAUSE_SECONDS = 0.1


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    body: dict[str, Any]


class Client:
    """A shopper with a cookie of his own. Each request is repeated until it is answered, or given up."""

    def __init__(self, port: int, secret: str):
        self.shopper = uuid4().hex
        self.codes: dict[int, int] = {}
        self._port = port
        self._headers = {
            "Origin": f"http://127.0.0.1:{port}",
            "Cookie": f"session={_cookie(secret, self.shopper)}",
            "Content-Type": "application/json",
        }
        self._connection: http.client.HTTPConnection | None = None

    def ask(self, method: str, path: str, body: Any = None, key: str = "", attempts: int = ATTEMPTS) -> Answer | None:
        """The answer, None where every attempt was lost or refused for the moment (5xx)."""
        for _ in range(attempts):
            try:
                status, found = self._once(method, path, body, key)
            except (OSError, http.client.HTTPException, ValueError):
                self.close()
            else:
                self.codes[status] = self.codes.get(status, 0) + 1
                if status < 500:
                    return Answer(status, found)
            time.sleep(PAUSE_SECONDS)
        return None

    def _once(self, method: str, path: str, body: Any, key: str) -> tuple[int, dict[str, Any]]:
        if self._connection is None:
            self._connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=ANSWER_SECONDS)
        headers = {**self._headers, **({"Idempotency-Key": key} if key else {})}
        self._connection.request(method, path, None if body is None else json.dumps(body), headers)
        response = self._connection.getresponse()
        raw = response.read()
        return response.status, json.loads(raw) if raw else {}

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _cookie(secret: str, shopper: str) -> str:
    """A session cookie as the shop signs it."""
    signed = _signer(secret).dumps({"shopper": shopper, "_permanent": True})
    return signed if isinstance(signed, str) else signed.decode()


@cache
def _signer(secret: str) -> URLSafeTimedSerializer:
    app = Flask("shop")
    app.secret_key = secret
    signer = Sessions(app).get_signing_serializer(app)
    assert signer
    return signer
