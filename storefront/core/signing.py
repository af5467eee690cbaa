"""Signatures of messages between servers, as Standard Webhooks 1.0.0 lays them down (standardwebhooks.com)."""

import base64
import binascii
import hmac
import re
import time
from collections.abc import Mapping
from hashlib import sha256

ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
MARK = "whsec_"  # what follows is base64
SECONDS = re.compile("[0-9]{1,12}")
SHORTEST_SECRET = 16  # bytes
TOLERANCE_SECONDS = 300


class BadSignature(Exception):
    """A message does not come from whom it should, has been changed on its way, or is an old one."""


class Signer:
    """Signs with one or more secrets: with several, while one is being replaced, who knows any of them can check."""

    def __init__(self, secrets: str):
        """secrets: separated by space; the bytes of each, or `whsec_` and base64. Raises ValueError."""
        self._keys = [_key(secret) for secret in secrets.split()]
        if not self._keys:
            raise ValueError("no secret")

    def headers(self, message_id: str, body: bytes, at_seconds: int | None = None) -> dict[str, str]:
        """The three headers of a message. message_id: the same for each try, without a full stop."""
        timestamp = str(int(time.time()) if at_seconds is None else at_seconds)
        signatures = " ".join(self._signatures(message_id, timestamp, body))
        return {ID: message_id, TIMESTAMP: timestamp, SIGNATURE: signatures}

    def check(self, message_id: str, headers: Mapping[str, str], body: bytes) -> None:
        """Raise BadSignature unless `body` bears this id, was signed with one of the secrets, and just now."""
        if headers.get(ID) != message_id:
            raise BadSignature(f"{ID} is {headers.get(ID)!r}, expected {message_id!r}")
        timestamp = headers.get(TIMESTAMP, "")
        if not SECONDS.fullmatch(timestamp) or abs(int(timestamp) - time.time()) > TOLERANCE_SECONDS:
            raise BadSignature(f"{TIMESTAMP} {timestamp!r} is not within {TOLERANCE_SECONDS} s of now")
        given = headers.get(SIGNATURE, "").encode().split()
        ours = [one.encode() for one in self._signatures(message_id, timestamp, body)]
        if not any(hmac.compare_digest(one, other) for one in given for other in ours):
            raise BadSignature(f"{SIGNATURE} does not match")

    def _signatures(self, message_id: str, timestamp: str, body: bytes) -> list[str]:
        content = f"{message_id}.{timestamp}.".encode() + body
        return [f"v1,{base64.b64encode(hmac.digest(key, content, sha256)).decode()}" for key in self._keys]


def _key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(MARK), validate=True) if secret.startswith(MARK) else secret.encode()
    except binascii.Error as error:
        raise ValueError(f"no base64 after {MARK}") from error
    if len(key) < SHORTEST_SECRET:
        raise ValueError("too short")
    return key
