"""How Alembic runs the migrations: on the app's own engine."""

from alembic import context
from flask import current_app

extension = current_app.extensions["migrate"]


def run_migrations() -> None:
    with extension.db.engine.connect() as connection:
        context.configure(connection=connection, target_metadata=extension.db.metadata, **extension.configure_args)
        with context.begin_transaction():
            context.run_migrations()


if context.is_offline_mode():
    raise SystemExit("Migrations need the database: run `flask db upgrade` without --sql.")
run_migrations()
