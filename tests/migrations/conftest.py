"""A shop whose database is empty, and the way it grows up: revision by revision, with rows in it."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from textwrap import indent

import pytest
from flask import Flask

from storefront import create_app
from storefront.core.config import PROJECT_ROOT, Settings
from storefront.core.db import db
from tests.migrations.history import History

NEXT = """
import sqlalchemy as sa
from alembic import op

revision = "next"
down_revision = "{head}"
takes_away = {takes_away}


def upgrade():
{upgrade}
"""


@pytest.fixture
def bare_app(
    tmp_path: Path, settings_of: Callable[..., Settings], new_database: Callable[[Path], str]
) -> Iterator[Flask]:
    """A shop on a database without tables, inside an app context."""
    (tmp_path / "bare").mkdir()
    app = create_app(settings_of(DATABASE_URL=new_database(tmp_path / "bare")))
    with app.app_context():
        yield app
        db.engine.dispose()


@pytest.fixture
def history(bare_app: Flask) -> History:
    """The migrations of this shop, over the database of `bare_app`."""
    return History(PROJECT_ROOT / "migrations")


@pytest.fixture
def longer_history(bare_app: Flask, tmp_path: Path) -> Callable[..., History]:
    """The migrations and one more, revision `next`: it runs the Python that is given."""

    def add(upgrade: str, takes_away: Sequence[str] = ()) -> History:
        folder = shutil.copytree(PROJECT_ROOT / "migrations", tmp_path / "migrations")
        head = History(folder).revisions[-1]
        (folder / "versions" / "next.py").write_text(
            NEXT.format(head=head, takes_away=takes_away, upgrade=indent(upgrade, "    "))
        )
        return History(folder)

    return add
