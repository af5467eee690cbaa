"""Idempotency keys, as a table: the first answer is kept and found again."""

from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from storefront.core import idempotency
from storefront.core.db import transaction
from storefront.core.idempotency import IdempotencyKey, KeyMissing, KeyReused
from storefront.stock.stockroom import Stockroom


def keep(room: Stockroom, key: str = "key", created_at_ms: int = 1, **answer: Any) -> None:
    with transaction(room.engine) as session:
        session.add(
            IdempotencyKey(
                shopper="ann", key=key, body_hash="hash", status=201, answer=answer, created_at_ms=created_at_ms
            )
        )


def test_the_first_answer_is_found_again(room: Stockroom) -> None:
    keep(room, id=1)

    with Session(room.engine) as session:
        found = idempotency.find(session, "ann", "key", "hash")

    assert found is not None
    assert (found.status, found.answer) == (201, {"id": 1})


def test_a_key_nobody_used_is_not_found(room: Stockroom) -> None:
    keep(room)

    with Session(room.engine) as session:
        assert idempotency.find(session, "ann", "another", "hash") is None
        assert idempotency.find(session, "ben", "key", "hash") is None


def test_another_body_is_refused(room: Stockroom) -> None:
    keep(room)

    with Session(room.engine) as session, pytest.raises(KeyReused):
        idempotency.find(session, "ann", "key", "another hash")


def test_a_key_cannot_be_kept_twice(room: Stockroom) -> None:
    keep(room)

    with pytest.raises(IntegrityError):
        keep(room)


def test_an_answer_that_is_rolled_back_is_not_kept(room: Stockroom) -> None:
    with pytest.raises(RuntimeError), transaction(room.engine) as session:
        session.add(IdempotencyKey(shopper="ann", key="key", body_hash="h", status=201, answer={}, created_at_ms=1))
        session.flush()
        raise RuntimeError

    with Session(room.engine) as session:
        assert idempotency.find(session, "ann", "key", "h") is None


@pytest.mark.parametrize("key", [None, "", "k" * 256])
def test_a_key_is_1_to_255_characters(key: str | None) -> None:
    with pytest.raises(KeyMissing):
        idempotency.check(key)

    assert idempotency.check("k" * 255) == "k" * 255


def test_the_hash_does_not_depend_on_the_order_of_members() -> None:
    assert idempotency.hash_of({"a": 1, "b": {"c": 2, "d": 3}}) == idempotency.hash_of({"b": {"d": 3, "c": 2}, "a": 1})
    assert idempotency.hash_of({"a": 1}) != idempotency.hash_of({"a": 2})
    assert idempotency.hash_of({"a": 1}) != idempotency.hash_of({"a": "1"})


def test_keys_are_forgotten_after_their_time_and_not_before(room: Stockroom) -> None:
    keep(room, "old", created_at_ms=1_000)
    keep(room, "new", created_at_ms=2_000)

    forgotten = idempotency.forget(room.engine, 2_000)

    with Session(room.engine) as session:
        assert forgotten == 1
        assert idempotency.find(session, "ann", "old", "hash") is None
        assert idempotency.find(session, "ann", "new", "hash") is not None


def test_keys_are_kept_for_48_hours() -> None:
    assert idempotency.KEPT_SECONDS == 48 * 3600
