"""The SQL database: one Flask-SQLAlchemy, and the way to write to it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import Flask
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import BigInteger, Engine, Integer, MetaData, event
from sqlalchemy.orm import DeclarativeBase, Session

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


def init_app(app: Flask, database_url: str) -> None:
    """Bind `app` to the database; SQLite gets WAL, foreign keys and a wait of 5 s for its lock."""
    app.config["SQLALCHEMY_DATABASE_URI"] = database_url
    if database_url.startswith("postgresql"):
        app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {
            "pool_size": 20,
            "max_overflow": 20,
            "pool_pre_ping": True,
            "executemany_mode": "values_plus_batch",  # the journal's rows in one round trip
        }
    db.init_app(app)
    migrate.init_app(app, db, directory="migrations", render_as_batch=True)
    with app.app_context():
        if db.engine.dialect.name == "sqlite":
            _prepare_sqlite(db.engine)


def _prepare_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # BEGIN is ours to say, see on_begin
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=5000", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def on_begin(connection: Any) -> None:
        immediate = connection.get_execution_options().get("sqlite_immediate")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


# SQLite has one writer at a time, and waits for its lock in C: a green thread that waited there
# would stop the whole process, with the one that holds the lock in it. So they queue here first.
_sqlite_writer = threading.RLock()
LONGEST_WAIT_SECONDS = 5


@contextmanager
def _turn_to_write(engine: Engine) -> Iterator[None]:
    if engine.dialect.name != "sqlite":
        yield
        return
    if not _sqlite_writer.acquire(timeout=LONGEST_WAIT_SECONDS):
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
