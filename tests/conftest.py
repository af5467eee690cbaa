"""What every test may ask for: a real Redis, a migrated database, an app, and stock to play with."""

import gc
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_migrate import upgrade
from sqlalchemy.engine import make_url
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from storefront import create_app
from storefront.core.config import Settings, load_settings
from storefront.core.db import db, transaction
from storefront.core.embedded_redis import EmbeddedRedis
from storefront.core.tools import take
from storefront.stock import ledger
from storefront.stock.rebuild import rebuild
from storefront.stock.stockroom import Stockroom
from tests.postgres import PostgresMissing, PostgresServer, find_programs
from tests.rule_code import keep_rule_code

ORIGIN = {"Origin": "http://localhost"}  # a browser sends it by itself; Flask's test client does not
TOGETHER = ("browser", "live", "erp/adapters/tryton", "processes")  # folders that start whole servers, in their order
GC_THRESHOLDS = 10_000, 10, 10  # each test leaves an app behind; Python's own, 700 at first, look at it far too often


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedRedis]:
    """One real Redis for the whole run; tests get it empty."""
    with EmbeddedRedis(tmp_path_factory.mktemp("redis")) as server:
        yield server


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--sqlite", action="store_true", help="run on SQLite only, not on PostgreSQL too")
    parser.addoption("--postgres", action="store_true", help="run on PostgreSQL only, not on SQLite too")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test with a database runs once on each, or on the one that its `only_on` names."""
    if "database_kind" not in metafunc.fixturenames:
        return
    kinds = _chosen(metafunc.config) or (["sqlite"] if _postgres_missing() else ["sqlite", "postgres"])
    only_on = metafunc.definition.get_closest_marker("only_on")
    if only_on:
        kinds = [kind for kind in kinds if kind in only_on.args]
    metafunc.parametrize("database_kind", kinds, indirect=True, scope="session")


def pytest_collection_finish() -> None:
    """What is there for the whole run is not looked at by the garbage collector, which took a quarter of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    keep_rule_code()


class FoldersOfShops(LoadScopeScheduling):
    """Side by side: the tests of a folder that starts whole servers stay with one worker, all others go one by one."""

    def _split_scope(self, nodeid: str) -> str:
        return _folder_of(nodeid) or nodeid


def _folder_of(nodeid: str) -> str | None:
    """Which of the folders that start whole servers a test is in."""
    return next((folder for folder in TOGETHER if nodeid.startswith(f"tests/{folder}/")), None)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> FoldersOfShops:
    config.option.loadscopereorder = False  # the order is that of pytest_collection_modifyitems
    return FoldersOfShops(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Side by side: whole folders first, so that the many short tests even it out at the end."""
    if hasattr(config, "workerinput"):
        order: list[str | None] = [*TOGETHER, None]
        items.sort(key=lambda item: order.index(_folder_of(item.nodeid)))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    missing = _postgres_missing()
    if missing and not _chosen(config):
        terminalreporter.write_line(f"NOT TESTED ON POSTGRESQL: {missing}", red=True, bold=True)


def _chosen(config: pytest.Config) -> list[str]:
    return [kind for kind in ("sqlite", "postgres") if config.getoption(kind)]


def _postgres_missing() -> str | None:
    try:
        find_programs()
    except PostgresMissing as missing:
        return str(missing)
    return None


@pytest.fixture(scope="session")
def database_kind(request: pytest.FixtureRequest) -> str:
    """What the test runs on: sqlite or postgres."""
    return request.param


@pytest.fixture(scope="session")
def postgres(request: pytest.FixtureRequest) -> Iterator[PostgresServer]:
    """The PostgreSQL server of the run."""
    if _postgres_missing() and not _chosen(request.config):
        pytest.skip(str(_postgres_missing()))
    with PostgresServer() as server:
        yield server


@pytest.fixture(scope="session")
def new_database(request: pytest.FixtureRequest, database_kind: str) -> Callable[[Path], str]:
    """Make a database without tables, a file in the given folder or on the server; give its URL."""
    if database_kind == "sqlite":
        return lambda folder: f"sqlite:///{folder / 'shop.db'}"
    server: PostgresServer = request.getfixturevalue("postgres")
    return lambda folder: server.url(server.create())


@pytest.fixture(scope="session")
def migrated(
    tmp_path_factory: pytest.TempPathFactory, redis_server: EmbeddedRedis, new_database: Callable[[Path], str]
) -> str:
    """The URL of a database as the migrations make it."""
    folder = tmp_path_factory.mktemp("migrated")
    url = new_database(folder)
    with create_app(_settings(folder, redis_server, DATABASE_URL=url)).app_context():
        upgrade()
        db.engine.dispose()
    return url


def _settings(folder: Path, server: EmbeddedRedis, **environ: str) -> Settings:
    given = {"DATA_DIR": str(folder), "REDIS_URL": server.url, "SECRET_KEY": "test", "APP_ENV": "development"}
    return load_settings({**given, **environ})


@pytest.fixture
def database_url(request: pytest.FixtureRequest, tmp_path: Path, database_kind: str, migrated: str) -> str:
    """A migrated database without rows."""
    if database_kind == "sqlite":
        shutil.copy(migrated.removeprefix("sqlite:///"), tmp_path / "shop.db")
        return f"sqlite:///{tmp_path / 'shop.db'}"
    request.getfixturevalue("postgres").empty(make_url(migrated).database)
    return migrated


@pytest.fixture
def settings_of(tmp_path: Path, redis_server: EmbeddedRedis, database_url: str) -> Callable[..., Settings]:
    """Settings for a fresh, migrated shop in the test's own folder; environment variables as keywords."""
    return lambda **environ: _settings(tmp_path, redis_server, **{"DATABASE_URL": database_url, **environ})


@pytest.fixture
def app(settings_of: Callable[..., Settings]) -> Iterator[Flask]:
    """A fresh shop without products, its gate open, inside an app context."""
    app = create_app(settings_of())
    with app.app_context():
        room = take("stockroom")
        room.unfenced.flushall()
        rebuild(room)
        yield app
        db.engine.dispose()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A browser-like client: it sends the Origin of the shop's own pages."""
    client = app.test_client()
    client.environ_base["HTTP_ORIGIN"] = ORIGIN["Origin"]
    return client


@pytest.fixture
def room(app: Flask) -> Stockroom:
    """The stockroom of `app`."""
    return take("stockroom")


@pytest.fixture
def stocked(room: Stockroom) -> Callable[..., Stockroom]:
    """Put units on hand: `stocked(MUG=5, CAP=0)` counts SKUs that need no product."""

    def stock(**units: int) -> Stockroom:
        with transaction(room.engine) as session:
            new = ledger.open_levels(session, units, room.now_ms())
        ledger.catch_up(room, new)
        return room

    return stock
