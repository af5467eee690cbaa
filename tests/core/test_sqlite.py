"""SQLite as the shop opens it: readers go on beside the writer, and writers wait for each other instead of failing."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from flask import Flask
from redis.connection import AbstractConnection
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError, OperationalError

from storefront.core import db
from storefront.core.db import transaction
from storefront.stock.stockroom import Stockroom
from tests.cart.shelf import let_holds_run_out, shelve, visitor
from workers import jobs

pytestmark = pytest.mark.only_on("sqlite")

EPOCH = text("SELECT epoch FROM stock_fence")
NEXT_EPOCH = text("UPDATE stock_fence SET epoch = epoch + 1")


@pytest.fixture
def engine(app: Flask) -> Engine:
    return db.db.engine


@pytest.fixture
def other_process(engine: Engine) -> Iterator[sqlite3.Connection]:
    """A connection that knows nothing of the shop's own queue of writers, and does not wait for a lock."""
    with closing(sqlite3.connect(str(engine.url.database), timeout=0, isolation_level=None)) as connection:
        yield connection


@pytest.mark.parametrize("pragma, value", [
    ("journal_mode", "wal"), ("synchronous", 1), ("busy_timeout", 5000), ("foreign_keys", 1),
])  # fmt: skip
def test_every_connection_is_set_up(engine: Engine, pragma: str, value: object) -> None:
    with engine.connect() as first, engine.connect() as second:
        assert [connection.scalar(text(f"PRAGMA {pragma}")) for connection in (first, second)] == [value, value]


def test_a_reader_keeps_what_it_sees_and_holds_up_no_writer(engine: Engine) -> None:
    with engine.connect() as reader:
        before = reader.scalar(EPOCH)

        with transaction(engine) as session:
            session.execute(NEXT_EPOCH)

        assert reader.scalar(EPOCH) == before
    with engine.connect() as later:
        assert later.scalar(EPOCH) == before + 1


def test_a_transaction_that_reads_first_has_the_write_lock_from_the_start(
    engine: Engine, other_process: sqlite3.Connection
) -> None:
    with transaction(engine) as session:
        session.scalar(EPOCH)

        with pytest.raises(sqlite3.OperationalError, match="database is locked"):
            other_process.execute("UPDATE stock_fence SET epoch = epoch + 1")
        session.execute(NEXT_EPOCH)


def test_who_only_reads_takes_no_lock(engine: Engine, other_process: sqlite3.Connection) -> None:
    with engine.connect() as reader:
        reader.scalar(EPOCH)

        assert other_process.execute("UPDATE stock_fence SET epoch = epoch + 1").rowcount == 1


def test_a_writer_waits_for_one_of_another_process(engine: Engine, other_process: sqlite3.Connection) -> None:
    other_process.execute("BEGIN IMMEDIATE")
    done = threading.Event()

    def write() -> None:
        with transaction(engine) as session:
            session.execute(NEXT_EPOCH)
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    waited = not done.wait(0.3)
    other_process.execute("COMMIT")
    writer.join()

    assert waited
    assert done.is_set()


def test_a_transaction_that_fails_leaves_nothing_and_lets_go_of_the_lock(
    engine: Engine, other_process: sqlite3.Connection
) -> None:
    with pytest.raises(OperationalError), transaction(engine) as session:
        session.execute(NEXT_EPOCH)
        session.execute(text("UPDATE nothing SET at = all"))

    assert other_process.execute("UPDATE stock_fence SET epoch = epoch + 1 RETURNING epoch").fetchone() == (2,)


def test_what_a_row_refers_to_must_be_there(engine: Engine) -> None:
    with pytest.raises(IntegrityError, match="FOREIGN KEY"), transaction(engine) as session:
        session.execute(text("INSERT INTO product_images (product_id, url, alt, position) VALUES (7, '', '', 1)"))


def test_no_step_of_a_shopper_talks_to_redis_while_it_has_the_write_lock(
    app: Flask, room: Stockroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else everybody who writes waits for Redis, too; the rebuild alone may."""
    shelve(MUG=5, CAP=5)
    room.redis.ping()
    sent = Sent(monkeypatch)
    ann = visitor(app)

    answers = [
        ann.add("MUG", 2),
        ann.add("CAP"),
        ann.post("/api/v1/cart/items/CAP/extend"),
        ann.put("/api/v1/cart/items/MUG", json={"quantity": 1}),
        ann.delete("/api/v1/cart/items/CAP"),
        ordered := ann.order("10.00"),
        ann.post(f"/api/v1/orders/{ordered.get_json()['token']}/cancel"),
        ann.add("CAP"),
    ]
    let_holds_run_out(room)
    expired = jobs.expire_holds()

    assert [answer.status_code for answer in answers] == [201, 201, 200, 200, 204, 201, 200, 201]
    assert expired == {"expired": 1}
    assert sent.otherwise > 10
    assert sent.meanwhile == []


class Sent:
    """The commands that go to Redis, told by whether their thread has the turn to write to SQLite at that moment."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch):
        self.meanwhile: list[bytes] = []
        self.otherwise = 0
        send = AbstractConnection.send_packed_command

        def note(connection: AbstractConnection, command: Any, *arguments: Any, **options: Any) -> None:
            if db._sqlite_writer._is_owned():  # type: ignore[attr-defined]
                self.meanwhile.append(b"".join(command))
            else:
                self.otherwise += 1
            send(connection, command, *arguments, **options)

        monkeypatch.setattr(AbstractConnection, "send_packed_command", note)
