"""Idempotency keys: the answer to a request, kept in the transaction of its effect.

After draft-ietf-httpapi-idempotency-key-header: same key and body give the first answer again,
same key with another body is refused.
"""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any
from weakref import WeakValueDictionary

from flask import Request
from sqlalchemy import JSON, BigInteger, Engine, String, delete
from sqlalchemy.orm import Mapped, Session, mapped_column

from storefront.core.db import db, transaction
from storefront.core.deadline import seconds_left
from storefront.core.errors import Refusal, Unavailable

LONGEST_KEY = 255
KEPT_SECONDS = 48 * 3600
PATIENCE_SECONDS = 3.0

_turns: WeakValueDictionary[tuple[str, str], Lock] = WeakValueDictionary()


class KeyReused(Refusal):
    code, status, title = "idempotency_key_reused", 422, "This key was used for another request"


class KeyMissing(Refusal):
    code, status, title = "idempotency_key_required", 422, "An Idempotency-Key header is required"


class StillRunning(Unavailable):
    code, status, title = "still_running", 409, "The first request with this key is still running"


class IdempotencyKey(db.Model):
    """The first answer to a shopper's request with a key."""

    __tablename__ = "idempotency_keys"

    shopper: Mapped[str] = mapped_column(String(64), primary_key=True)
    key: Mapped[str] = mapped_column(String(LONGEST_KEY), primary_key=True)
    body_hash: Mapped[str] = mapped_column(String(64))
    status: Mapped[int]
    answer: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at_ms: Mapped[int] = mapped_column(BigInteger, index=True)


def hash_of(body: Any) -> str:
    """A hash of a JSON body that does not depend on the order of its members."""
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def hash_of_request(request: Request) -> str:
    """A hash of what a request asks for: method, path and JSON body."""
    return hash_of([request.method, request.path, request.get_json(silent=True)])


def forget(engine: Engine, before_ms: int) -> int:
    """Forget the answers kept before `before_ms`; return how many."""
    with transaction(engine) as session:
        gone = session.execute(delete(IdempotencyKey).where(IdempotencyKey.created_at_ms < before_ms))
    return gone.rowcount  # type: ignore[attr-defined]


def find(session: Session, shopper: str, key: str, body_hash: str) -> IdempotencyKey | None:
    """The first answer for this key, if there is one. Raises KeyReused where it belongs to another body."""
    row = session.get(IdempotencyKey, (shopper, key))
    if row and row.body_hash != body_hash:
        raise KeyReused("The Idempotency-Key was used with another body before; use a new key.")
    return row


def check(key: str | None) -> str:
    """The key of a request that must have one. Raises KeyMissing where it is absent, empty or too long."""
    if not key or len(key) > LONGEST_KEY:
        raise KeyMissing(f"Send an Idempotency-Key of 1 to {LONGEST_KEY} characters.")
    return key


@contextmanager
def turn(shopper: str, key: str) -> Iterator[None]:
    """Let one request with this key run at a time in this process: who waited finds the answer of the first.

    Raises StillRunning after 3 s.
    """
    lock = _turns.setdefault((shopper, key), Lock())
    if not lock.acquire(timeout=seconds_left(PATIENCE_SECONDS)):
        raise StillRunning("The same request is still being worked on; ask again with the same key.")
    try:
        yield
    finally:
        lock.release()
