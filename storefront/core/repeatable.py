"""Repeatable API calls: a request that comes again with its Idempotency-Key gets the first answer.

The effect of each call is idempotent by itself (a reservation's id is made of the key, a quantity is
set and not added, an order keeps its key in its own transaction); so an answer can be kept after the
effect, and a process that dies in between leaves nothing that a repeat would double.
"""

import time
from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import Response, jsonify, request
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from storefront.core import idempotency
from storefront.core.db import db, transaction
from storefront.core.errors import Refusal
from storefront.core.idempotency import IdempotencyKey
from storefront.core.shopper import shopper_at_change

CONFLICT = 409  # business refusals are answers and kept; what was not valid may be sent again, mended


def repeatable(route: Callable[..., tuple[Any, int]]) -> Callable[..., Response]:
    """Make a route that returns (JSON, status) honour the Idempotency-Key header, if there is one."""

    @wraps(route)
    def answered(**arguments: Any) -> Response:
        key = request.headers.get("Idempotency-Key")
        if key is None:
            body, status = route(**arguments)
            return _response(body, status)
        idempotency.check(key)
        body_hash = idempotency.hash_of_request(request)
        with idempotency.turn(shopper_at_change(), key):
            kept = _find(key, body_hash)
            if kept is None:
                answer, status = _outcome(route, arguments)
                kept = _find(key, body_hash) or _keep(key, body_hash, answer, status)
        return _response(kept.answer, kept.status)

    return answered


def _outcome(route: Callable[..., tuple[Any, int]], arguments: dict[str, Any]) -> tuple[Any, int]:
    try:
        return route(**arguments)
    except Refusal as refusal:
        if refusal.status != CONFLICT:
            raise
        return refusal.problem(), CONFLICT


def _find(key: str, body_hash: str) -> IdempotencyKey | None:
    with Session(db.engine) as session:
        return idempotency.find(session, shopper_at_change(), key, body_hash)


def _keep(key: str, body_hash: str, answer: Any, status: int) -> IdempotencyKey:
    """Keep an answer, unless that of the same request sent twice at once came first; return the first."""
    row = IdempotencyKey(
        shopper=shopper_at_change(), key=key, body_hash=body_hash,
        status=status, answer=answer, created_at_ms=int(time.time() * 1000),
    )  # fmt: skip
    try:
        with transaction(db.engine) as session:
            session.add(row)
    except IntegrityError:
        return _find(key, body_hash) or row
    return row


def _response(body: Any, status: int) -> Response:
    if status == CONFLICT:
        response = jsonify(body)
        response.mimetype = "application/problem+json"
    else:
        response = jsonify(body) if status != 204 else Response()
    response.status_code = status
    return response
