"""How Alembic runs the migrations: on the app's own engine."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from alembic import context
from alembic.runtime.migration import MigrationContext
from flask import current_app
from sqlalchemy import Connection

extension = current_app.extensions["migrate"]


def run_migrations() -> None:
    with extension.db.engine.connect() as connection, free_to_copy_tables(connection):
        context.configure(
            connection=connection,
            target_metadata=extension.db.metadata,
            on_version_apply=check_references,
            **extension.configure_args,
        )
        with context.begin_transaction():
            context.run_migrations()


@contextmanager
def free_to_copy_tables(connection: Connection) -> Iterator[None]:
    """Let SQLite drop a table whose copy takes its place; with foreign keys on, what refers to it would go with it."""
    if connection.dialect.name != "sqlite":
        yield
        return
    sqlite: Any = connection.connection.driver_connection
    sqlite.execute("PRAGMA foreign_keys=OFF")  # before the transaction: within one it does nothing
    try:
        yield
    finally:
        sqlite.execute("PRAGMA foreign_keys=ON")


def check_references(ctx: MigrationContext, **_: Any) -> None:
    """At the end of each migration, still in its transaction: refuse rows that refer to nothing."""
    if ctx.dialect.name == "sqlite" and ctx.connection:
        broken = ctx.connection.exec_driver_sql("PRAGMA foreign_key_check").all()
        if broken:
            raise RuntimeError(f"The migration leaves rows that refer to nothing: {broken}")


if context.is_offline_mode():
    raise SystemExit("Migrations need the database: run `flask db upgrade` without --sql.")
run_migrations()
