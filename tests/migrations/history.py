"""The migrations, taken one at a time over a database that holds rows before each of them."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

from alembic.script import ScriptDirectory
from flask_migrate import upgrade
from sqlalchemy import inspect, text

from storefront.core.db import db

ROWS = Path(__file__).with_name("rows")
Rows = dict[str, list[dict[str, Any]]]  # by table


class History:
    """The revisions in `folder`, the first one first, and a walk along them in the current app's database."""

    def __init__(self, folder: Path):
        self.folder = folder
        scripts = [*ScriptDirectory(str(folder)).walk_revisions()][::-1]
        self.revisions = [script.revision for script in scripts]
        self.taken_away = {script.revision: getattr(script.module, "takes_away", ()) for script in scripts}

    def walk(self) -> None:
        """Upgrade to each revision in turn; after each, what was there must be there, and every table gets rows.

        What goes on purpose is named in the migration: `takes_away = ["orders.fax", "notes"]`.
        """
        before: Rows = {}
        for revision in self.revisions:
            self.upgrade(revision)
            lost = lost_rows(without(before, self.taken_away[revision]), all_rows())
            assert not lost, f"Revision {revision} loses {lost}"
            add_rows(revision)
            before = all_rows()
            empty = [table for table, rows in before.items() if not rows]
            assert not empty, f"Nothing shows that the next migration keeps {empty}: add rows/{revision}.sql"

    def upgrade(self, revision: str) -> None:
        upgrade(directory=str(self.folder), revision=revision)


def add_rows(revision: str) -> None:
    """Put in the rows that were written for this revision, if there are any."""
    file = ROWS / f"{revision}.sql"
    if not file.exists():
        return
    with db.engine.begin() as connection:
        for statement in file.read_text().split(";\n"):
            if statement.strip():
                connection.exec_driver_sql(statement, execution_options={"no_parameters": True})


def all_rows() -> Rows:
    """What is in every table but Alembic's own."""
    tables = [table for table in inspect(db.engine).get_table_names() if table != "alembic_version"]
    with db.engine.connect() as connection:
        return {
            table: [dict(row) for row in connection.execute(text(f'SELECT * FROM "{table}"')).mappings()]
            for table in tables
        }


def without(rows: Rows, names: Collection[str]) -> Rows:
    """`rows` without the tables and the columns (`table.column`) of these names."""
    return {
        table: [{name: row[name] for name in row if f"{table}.{name}" not in names} for row in some]
        for table, some in rows.items()
        if table not in names
    }


def lost_rows(before: Rows, after: Rows) -> Rows:
    """The rows of `before` that are not in `after` with the same value in every column they had."""
    lost: Rows = {}
    for table, rows in before.items():
        kept = [{name: row[name] for name in rows[0] if name in row} for row in after.get(table, [])]
        lost[table] = [row for row in rows if row not in kept]
    return {table: rows for table, rows in lost.items() if rows}
