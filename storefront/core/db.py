"""The SQL database: one Flask-SQLAlchemy, and the way to write to it."""

import math
import selectors
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from selectors import EVENT_READ, EVENT_WRITE
from typing import Any

import psycopg2
from flask import Flask
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from psycopg2.extensions import POLL_OK, POLL_READ
from sqlalchemy import BigInteger, Engine, Integer, MetaData, event
from sqlalchemy.orm import DeclarativeBase, Session

from storefront.core.deadline import deadline, seconds_left
from storefront.core.errors import Unavailable


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


# SQLite gives ids by itself only to a column that is exactly INTEGER.
BigId = BigInteger().with_variant(Integer, "sqlite")

db = SQLAlchemy(model_class=Base)
migrate = Migrate()


POOL_WAIT_SECONDS = 1.0
CONNECT_SECONDS = 2.0
LONGEST_WAIT_SECONDS = 5.0  # for SQLite's write lock; a request has less
LONGEST_PAUSE_SECONDS = 0.025  # between two looks at it
BUSY_TIMEOUT = "PRAGMA busy_timeout=5000"
# For the server to keep: what a process that died had locked, and what a visitor has given up, must not stay for long.
LIMITS = "SET idle_in_transaction_session_timeout = '60s'"
SERVING_LIMITS = f"{LIMITS}; SET lock_timeout = '3s'; SET statement_timeout = '10s'"


def init_app(app: Flask, database_url: str, serving: bool = False) -> None:
    """Bind `app` to the database; SQLite gets WAL, foreign keys and a wait of 5 s for its lock.

    serving: whether this process answers visitors, who do not wait for long.
    """
    app.config["SQLALCHEMY_DATABASE_URI"] = database_url
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {"pool_timeout": POOL_WAIT_SECONDS}
    if database_url.startswith("postgresql"):
        app.config["SQLALCHEMY_ENGINE_OPTIONS"] |= {
            "pool_size": 20,
            "max_overflow": 20,
            "pool_pre_ping": True,
            "executemany_mode": "values_plus_batch",  # the journal's rows in one round trip
            "connect_args": {"tcp_user_timeout": 10_000, "keepalives_idle": 10, "keepalives_interval": 5},
        }
    db.init_app(app)
    migrate.init_app(app, db, directory="migrations", render_as_batch=True)
    with app.app_context():
        if db.engine.dialect.name == "sqlite":
            _prepare_sqlite(db.engine)
        else:
            _prepare_postgres(db.engine, serving)


def _prepare_postgres(engine: Engine, serving: bool) -> None:
    psycopg2.extensions.set_wait_callback(_wait)

    @event.listens_for(engine, "do_connect")
    def on_do_connect(dialect: Any, _record: Any, arguments: Any, options: Any) -> Any:
        with deadline(CONNECT_SECONDS):  # libpq's own connect_timeout is not heeded beside a wait callback
            return dialect.connect(*arguments, **options)

    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, _record: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute(SERVING_LIMITS if serving else LIMITS)
        connection.commit()


def _wait(connection: Any) -> None:
    """Wait for the server as psycopg2 asks us to: other green threads go on, and a deadline ends it.

    A server that is frozen, or gone without a word, keeps no limit that was set on its own side.
    """
    while (state := connection.poll()) != POLL_OK:
        seconds = seconds_left(math.inf)
        with selectors.DefaultSelector() as selector:
            selector.register(connection, EVENT_READ if state == POLL_READ else EVENT_WRITE)
            if not selector.select(None if seconds == math.inf else seconds):
                raise psycopg2.OperationalError("the database did not answer in time")


def _prepare_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # BEGIN is ours to say, see on_begin
        connection.execute(BUSY_TIMEOUT)
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def on_begin(connection: Any) -> None:
        if connection.get_execution_options().get("sqlite_immediate"):
            _begin_immediate(connection.connection.driver_connection)
        else:
            connection.exec_driver_sql("BEGIN")


# SQLite has one writer at a time, and waits for its lock in C: a green thread that waited there
# would stop the whole process, with the one that holds the lock in it. So they queue here first.
_sqlite_writer = threading.RLock()


def _begin_immediate(connection: sqlite3.Connection) -> None:
    """Take SQLite's write lock, waiting for other processes' writers here and not in C, for the same reason."""
    until = time.monotonic() + seconds_left(LONGEST_WAIT_SECONDS)
    pause = 0.001
    connection.execute("PRAGMA busy_timeout=0")
    try:
        while not _begins(connection):
            if time.monotonic() > until:
                raise Unavailable("The shop's database is busy. Please try again.")
            time.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
    finally:
        connection.execute(BUSY_TIMEOUT)


def _begins(connection: sqlite3.Connection) -> bool:
    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:  # the higher bits say why it is busy
            raise
        return False
    return True


@contextmanager
def _turn_to_write(engine: Engine) -> Iterator[None]:
    if engine.dialect.name != "sqlite":
        yield
        return
    if not _sqlite_writer.acquire(timeout=seconds_left(LONGEST_WAIT_SECONDS)):
        raise Unavailable("The shop's database is busy. Please try again.")
    try:
        yield
    finally:
        _sqlite_writer.release()


@contextmanager
def transaction(engine: Engine) -> Iterator[Session]:
    """A session that writes: committed at the end of the block, rolled back on any exception.

    On SQLite it begins IMMEDIATE: a transaction that reads first and writes later would fail
    with "database is locked" whenever another one wrote in between.
    """
    writing = engine.execution_options(sqlite_immediate=True)
    with _turn_to_write(engine), Session(writing, expire_on_commit=False) as session, session.begin():
        yield session
