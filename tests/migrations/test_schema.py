"""The migrations make exactly the schema of the models."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import Flask
from flask_migrate import current as show_current
from flask_migrate import upgrade
from sqlalchemy import Engine, create_engine, inspect, text

from storefront import create_app
from storefront.core.config import PROJECT_ROOT, Settings, normalize_database_url
from storefront.core.db import db


@pytest.fixture
def by_models(app: Flask, tmp_path: Path, new_database: Callable[[Path], str]) -> Iterator[Engine]:
    """A database of the same kind, made from the models and not from the migrations."""
    (tmp_path / "models").mkdir()
    engine = create_engine(normalize_database_url(new_database(tmp_path / "models")))
    db.metadata.create_all(engine)
    yield engine
    engine.dispose()


def constraints(engine: Engine) -> dict[str, dict[str, Any]]:
    """What alembic does not compare: checks, keys and foreign keys, by table."""
    found = inspect(engine)
    return {
        table: {
            "checks": sorted((check["name"] or "", check["sqltext"]) for check in found.get_check_constraints(table)),
            "primary key": found.get_pk_constraint(table)["constrained_columns"],
            "foreign keys": sorted(str(key["constrained_columns"]) for key in found.get_foreign_keys(table)),
            "unique": sorted(str(key["column_names"]) for key in found.get_unique_constraints(table)),
            "columns": [(column["name"], column["nullable"]) for column in found.get_columns(table)],
        }
        for table in found.get_table_names()
        if table != "alembic_version"
    }


def test_the_migrated_schema_is_that_of_the_models(app: Flask) -> None:
    with db.engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True, "target_metadata": db.metadata}
        )

        assert compare_metadata(context, db.metadata) == []


def test_checks_and_keys_are_those_of_the_models(app: Flask, by_models: Engine) -> None:
    migrated, modelled = constraints(db.engine), constraints(by_models)

    assert migrated.keys() == modelled.keys()
    for table in modelled:
        assert migrated[table] == modelled[table], table


def test_the_migrations_are_one_line_without_branches() -> None:
    script = ScriptDirectory(str(PROJECT_ROOT / "migrations"))

    assert len(script.get_heads()) == 1
    assert len(script.get_bases()) == 1


def test_upgrading_again_changes_nothing_and_loses_nothing(settings_of: Callable[..., Settings]) -> None:
    app = create_app(settings_of())
    with app.app_context():
        with db.engine.begin() as connection:
            connection.execute(text("INSERT INTO stock_fence (id, epoch, run_id) VALUES (1, 7, 'x')"))

        upgrade()

        with db.engine.connect() as connection:
            assert connection.scalar(text("SELECT epoch FROM stock_fence")) == 7


def test_the_log_goes_on_after_an_upgrade(
    settings_of: Callable[..., Settings], caplog: pytest.LogCaptureFixture
) -> None:
    app = create_app(settings_of())
    with app.app_context():
        show_current()

    app.logger.error("still heard")

    assert "still heard" in caplog.text
