"""Settings: each wrong one is named, with its value and what is allowed."""

import subprocess
import sys
from pathlib import Path

import pytest
from flask import Flask

from storefront.core import db
from storefront.core.config import PROJECT_ROOT, SettingsError, load_settings, normalize_database_url
from storefront.core.mail import check_sender


def refusal(folder: Path, **environ: str) -> str:
    """What the start says to these environment variables."""
    with pytest.raises(SettingsError) as caught:
        load_settings({"DATA_DIR": str(folder), **environ})
    return str(caught.value)


DEPLOYED = {"DATABASE_URL": "postgres://user:word@host/shop", "SECRET_KEY": "long and random"}
WRONG = [
    ("PORT", "0", "from 1 to 65535"), ("PORT", "65536", "from 1 to 65535"), ("PORT", "http", "whole number"),
    ("PORT", "80.5", "whole number"), ("PORT", "9" * 5000, "whole number"),
    ("WEB_PROCESSES", "0", "from 1 to"), ("WEB_PROCESSES", "-2", "from 1 to"),
    ("ASYNC_MODE", "asyncio", "eventlet"), ("HOLD_SECONDS", "0", "from 1 to"), ("HOLD_SECONDS", "ten", "whole number"),
    ("HOLD_DURABILITY", "disk", "journal"), ("LOW_STOCK_THRESHOLD", "-1", "from 0"),
    ("PUSH_INTERVAL_MS", "0", "from 1"), ("CURRENCY", "euro", "three capital letters"), ("CURRENCY", "EU", "three"),
    ("TAX_PERCENT", "19.5", "whole number"), ("APP_ENV", "staging", "development"),
    ("MAIL_FROM", "the shop", "shop@example.org"),
]  # fmt: skip


@pytest.mark.parametrize("name, value, allowed", WRONG, ids=lambda text: text[:12])
def test_a_wrong_setting_is_refused_with_name_value_and_what_is_allowed(
    tmp_path: Path, name: str, value: str, allowed: str
) -> None:
    message = refusal(tmp_path, **{name: value})

    assert name in message
    assert repr(value) in message
    assert allowed in message


@pytest.mark.parametrize("name, value, allowed", [
    ("REDIS_URL", "http://boss:hunter2@host", "redis://"), ("STOCK_REDIS_URL", "boss:hunter2", "redis://"),
    ("DATABASE_URL", "mysql://boss:hunter2@host/shop", "postgresql://"), ("DATABASE_URL", "hunter2", "sqlite:///"),
    ("MAIL_URL", "http://boss:hunter2@host", "smtp://"), ("SHOP_URL", "hunter2", "https://"),
])  # fmt: skip
def test_a_wrong_address_is_refused_without_showing_the_password_in_it(
    tmp_path: Path, name: str, value: str, allowed: str
) -> None:
    message = refusal(tmp_path, **{name: value})

    assert name in message
    assert allowed in message
    assert "hunter2" not in message


def test_all_wrong_settings_are_named_at_once(tmp_path: Path) -> None:
    message = refusal(tmp_path, PORT="x", HOLD_SECONDS="x", ASYNC_MODE="x")

    assert all(name in message for name in ("PORT", "HOLD_SECONDS", "ASYNC_MODE"))


@pytest.mark.parametrize("environ", [
    {"APP_ENV": "production"}, {"DYNO": "web.1"}, {"DATABASE_URL": "postgres://user:word@host/shop"},
], ids=str)  # fmt: skip
def test_outside_development_a_missing_secret_key_stops_the_start(tmp_path: Path, environ: dict[str, str]) -> None:
    assert "SECRET_KEY" in refusal(tmp_path, **environ)


@pytest.mark.parametrize("word", ["secret", "changeme", "DEV"])
def test_a_secret_key_that_everybody_knows_stops_the_start(tmp_path: Path, word: str) -> None:
    message = refusal(tmp_path, DATABASE_URL="postgres://user:word@host/shop", SECRET_KEY=word)

    assert "SECRET_KEY" in message


def test_in_production_the_file_database_stops_the_start(tmp_path: Path) -> None:
    message = refusal(tmp_path, APP_ENV="production", SECRET_KEY="long and random")

    assert "DATABASE_URL" in message


def test_in_development_a_secret_key_is_made_and_kept(tmp_path: Path) -> None:
    first, second = (load_settings({"DATA_DIR": str(tmp_path)}).secret_key for _ in range(2))

    assert first == second
    assert len(first) >= 32
    assert (tmp_path / "secret-key").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg2", "postgresql+psycopg"])
@pytest.mark.parametrize("rest", [
    "u:p@host:5432/shop?sslmode=require",
    "shop@/shop?host=/var/run/postgresql&sslmode=verify-full&sslrootcert=/etc/ca.pem",
    "u:p%40%2F%25@[::1]/shop?options=-c%20statement_timeout%3D5000&application_name=shop",
])  # fmt: skip
def test_a_postgres_address_gets_its_driver_named_and_keeps_the_rest(scheme: str, rest: str) -> None:
    assert normalize_database_url(f"{scheme}://{rest}") == f"postgresql+psycopg2://{rest}"


def test_the_parameters_of_a_postgres_address_reach_the_driver() -> None:
    app = Flask(__name__)

    db.init_app(app, normalize_database_url("postgres://u:p%40@host:5432/shop?sslmode=require&host=/run/postgresql"))

    with app.app_context():
        engine = db.db.engine
    assert engine.driver == "psycopg2"
    assert engine.dialect.create_connect_args(engine.url)[1] == {
        "user": "u", "password": "p@", "port": 5432, "dbname": "shop",
        "sslmode": "require", "host": "/run/postgresql",
    }  # fmt: skip


def test_the_defaults_are_those_of_the_contract(tmp_path: Path) -> None:
    settings = load_settings({"DATA_DIR": str(tmp_path)})

    assert (settings.port, settings.web_processes, settings.async_mode) == (8000, 1, "eventlet")
    assert (settings.hold_seconds, settings.hold_durability) == (600, "journal")
    assert (settings.low_stock_threshold, settings.push_interval_ms) == (5, 40)
    assert settings.database_url.startswith("sqlite:///")
    assert (settings.redis_url, settings.stock_redis_url, settings.ops_password) == (None, None, None)


def test_in_development_mail_is_printed(tmp_path: Path) -> None:
    settings = load_settings({"DATA_DIR": str(tmp_path), "PORT": "9000", "SHOP_NAME": "Höhle, the"})

    assert (settings.mail_url, settings.shop_url) == ("console:", "http://localhost:9000")
    assert check_sender(settings.mail_from)


def test_in_production_no_mail_is_sent_until_somebody_says_how(tmp_path: Path) -> None:
    settings = load_settings({"DATA_DIR": str(tmp_path), **DEPLOYED})

    assert settings.mail_url is None


def test_where_mail_is_sent_its_sender_and_the_shops_address_must_be_known(tmp_path: Path) -> None:
    message = refusal(tmp_path, **DEPLOYED, MAIL_URL="smtp://host")

    assert "MAIL_FROM is missing" in message
    assert "SHOP_URL is missing" in message


def test_the_address_of_the_shop_has_no_slash_at_its_end(tmp_path: Path) -> None:
    settings = load_settings({"DATA_DIR": str(tmp_path), "SHOP_URL": "https://shop.example.org/"})

    assert settings.shop_url == "https://shop.example.org"


def test_an_empty_setting_is_none(tmp_path: Path) -> None:
    settings = load_settings({"DATA_DIR": str(tmp_path), "PORT": " ", "REDIS_URL": "", "OPS_PASSWORD": ""})

    assert (settings.port, settings.redis_url, settings.ops_password) == (8000, None, None)


@pytest.mark.parametrize("program", [["wsgi.py"], ["-m", "workers"], ["-m", "flask", "stock", "show"]], ids=str)
def test_every_program_ends_with_the_message_and_no_traceback(tmp_path: Path, program: list[str]) -> None:
    environ = {"PATH": "/usr/bin:/bin", "DATA_DIR": str(tmp_path), "HOLD_SECONDS": "soon"}

    done = subprocess.run(
        [sys.executable, *program], cwd=PROJECT_ROOT, env=environ, capture_output=True, text=True, timeout=30
    )

    assert done.returncode != 0
    assert "HOLD_SECONDS='soon' is not allowed: give a whole number from 1" in done.stderr
    assert "Traceback" not in done.stderr
