"""Settings from the environment: read once, checked all together, refused by name."""

import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import formataddr
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from storefront.core.mail import check_mail_url, check_sender

PROJECT_ROOT = Path(__file__).resolve().parents[2]

DEFAULT_SECRETS = {"changeme", "change-me", "default", "dev", "development", "secret", "secret-key"}
REDIS_SCHEMES = ("redis://", "rediss://", "unix://", "valkey://", "valkeys://")


class SettingsError(SystemExit):
    """One or more environment variables are wrong; the message names each of them.

    A SystemExit, so that every program of the shop ends with this message and code 1, not with a traceback.
    """


@dataclass(frozen=True)
class Settings:
    """What the environment decided. Units stand in the names."""

    app_env: str
    data_dir: Path
    database_url: str
    redis_url: str | None  # None: the embedded server of `data_dir`
    stock_redis_url: str | None  # None: the same as `redis_url`
    secret_key: str
    port: int
    web_processes: int
    async_mode: str
    hold_seconds: int
    hold_durability: str
    low_stock_threshold: int
    push_interval_ms: int
    live_connections: int  # of one web process
    live_connections_per_address: int
    trusted_proxies: int  # how many stand before the shop and may name the visitor's address
    currency: str
    tax_percent: int  # contained in the prices
    shop_name: str
    shop_url: str  # where mails lead to; no slash at its end
    mail_url: str | None  # None: this shop sends no mail
    mail_from: str
    ops_username: str
    ops_password: str | None  # None: the ops pages stay closed
    erp_adapter: str
    erp_batch_size: int
    erp_batch_seconds: int
    erp_stock_seconds: int  # how often the ERP is asked for its stock
    erp_environ: Mapping[str, str]  # the variables of the ERP's adapter, which reads them itself: ERP_…, EVENTS_…

    @property
    def development(self) -> bool:
        return self.app_env == "development"


class Reader:
    """Takes typed values out of an environment and remembers every wrong one."""

    def __init__(self, environ: Mapping[str, str]):
        self.environ = environ
        self.problems: list[str] = []

    def take(self, name: str, default: Any, allowed: str, parse: Callable[[str], Any]) -> Any:
        raw = self.environ.get(name, "").strip()
        if not raw:
            return default
        try:
            return parse(raw)
        except ValueError:
            shown = "(hidden)" if name.endswith(("KEY", "PASSWORD", "SECRET", "URL")) else repr(raw)
            self.problems.append(f"{name}={shown} is not allowed: give {allowed}.")
            return default

    def number(self, name: str, default: int, low: int, high: int) -> int:
        def parse(raw: str) -> int:
            value = int(raw)
            if not low <= value <= high:
                raise ValueError
            return value

        return self.take(name, default, f"a whole number from {low} to {high}", parse)

    def refuse(self) -> None:
        """Raise SettingsError where something was wrong."""
        if self.problems:
            raise SettingsError("Stockbeat cannot start:\n" + "\n".join(self.problems))

    def choice(self, name: str, default: str, choices: tuple[str, ...]) -> str:
        def parse(raw: str) -> str:
            if raw not in choices:
                raise ValueError
            return raw

        return self.take(name, default, "one of " + ", ".join(choices), parse)

    def redis_url(self, name: str) -> str | None:
        def parse(raw: str) -> str:
            if not raw.startswith(REDIS_SCHEMES):
                raise ValueError
            return raw

        return self.take(name, None, "a URL that starts with " + ", ".join(REDIS_SCHEMES), parse)

    def database_url(self, default: str) -> str:
        allowed = "sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME"
        return self.take("DATABASE_URL", default, allowed, normalize_database_url)


def normalize_database_url(raw: str) -> str:
    """Name the driver in a database URL and leave the rest as it is.

    `postgres://` (Heroku's spelling), `postgresql://` and any other driver's `postgresql+…://` become
    `postgresql+psycopg2://`: psycopg2 yields to eventlet's hub while it waits, psycopg 3 blocks it.
    Raises ValueError where the URL cannot be read or names another database.
    """
    scheme, separator, rest = raw.partition("://")
    if scheme.partition("+")[0] in ("postgres", "postgresql"):
        raw = f"postgresql+psycopg2{separator}{rest}"
    try:
        backend = make_url(raw).get_backend_name()
    except ArgumentError as error:
        raise ValueError(raw) from error
    if backend not in ("sqlite", "postgresql"):
        raise ValueError(raw)
    return raw


def load_settings(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read every setting; raise SettingsError that names each wrong variable, value and what is allowed."""
    read = Reader(environ)
    data_dir = Path(environ.get("DATA_DIR") or PROJECT_ROOT / "instance").absolute()
    database_url = read.database_url(f"sqlite:///{data_dir / 'shop.db'}")
    deployed = "DYNO" in environ or not database_url.startswith("sqlite")
    app_env = read.choice("APP_ENV", "production" if deployed else "development", ("development", "production"))
    port = read.number("PORT", 8000, 1, 65535)
    shop_name = environ.get("SHOP_NAME", "").strip() or "Stockbeat"
    settings = Settings(
        app_env=app_env,
        data_dir=data_dir,
        database_url=database_url,
        redis_url=read.redis_url("REDIS_URL"),
        stock_redis_url=read.redis_url("STOCK_REDIS_URL"),
        secret_key=_secret_key(read, data_dir, app_env),
        port=port,
        web_processes=read.number("WEB_PROCESSES", 1, 1, 64),
        async_mode=read.choice("ASYNC_MODE", "eventlet", ("eventlet", "gevent", "threading")),
        hold_seconds=read.number("HOLD_SECONDS", 600, 1, 86_400),
        hold_durability=read.choice("HOLD_DURABILITY", "journal", ("journal", "redis")),
        low_stock_threshold=read.number("LOW_STOCK_THRESHOLD", 5, 0, 1_000_000),
        push_interval_ms=read.number("PUSH_INTERVAL_MS", 40, 1, 10_000),
        live_connections=read.number("LIVE_CONNECTIONS", 10_000, 1, 1_000_000),
        live_connections_per_address=read.number("LIVE_CONNECTIONS_PER_ADDRESS", 1_000, 1, 1_000_000),
        trusted_proxies=read.number("TRUSTED_PROXIES", int("DYNO" in environ), 0, 10),
        currency=read.take("CURRENCY", "EUR", "three capital letters (ISO 4217)", _currency),
        tax_percent=read.number("TAX_PERCENT", 0, 0, 50),
        shop_name=shop_name,
        **_mail(read, app_env, port, shop_name),
        ops_username=environ.get("OPS_USERNAME", "").strip() or "ops",
        ops_password=environ.get("OPS_PASSWORD") or None,
        erp_adapter=environ.get("ERP_ADAPTER", "").strip() or "filedrop",  # checked where the adapters are
        erp_batch_size=read.number("ERP_BATCH_SIZE", 50, 1, 1000),
        erp_batch_seconds=read.number("ERP_BATCH_SECONDS", 5, 0, 3600),
        erp_stock_seconds=read.number("ERP_STOCK_SECONDS", 15, 1, 86_400),
        erp_environ={name: environ[name] for name in environ if name.startswith(("ERP_", "EVENTS_"))},
    )
    if app_env == "production" and database_url.startswith("sqlite"):
        read.problems.append("DATABASE_URL is an SQLite file: in production give postgresql://USER:PASSWORD@HOST/NAME.")
    read.refuse()
    return settings


def _mail(read: Reader, app_env: str, port: int, shop_name: str) -> dict[str, Any]:
    """How mail is sent. In development it is printed; elsewhere none is sent until all of it is said."""
    developing = app_env == "development"
    allowed = "console:, smtp://[USER:PASSWORD@]HOST[:PORT] or smtps://…"
    mail_url = read.take("MAIL_URL", "console:" if developing else None, allowed, check_mail_url)
    mail_from = read.take("MAIL_FROM", None, "an address such as Shop <shop@example.org>", check_sender)
    shop_url = read.take("SHOP_URL", None, "the shop's address such as https://shop.example.org", _shop_url)
    if mail_url and not developing:
        for name, value in (("MAIL_FROM", mail_from), ("SHOP_URL", shop_url)):
            if not value and not read.environ.get(name, "").strip():
                read.problems.append(f"{name} is missing: mail is sent (MAIL_URL), so it has to be known.")
    return {
        "mail_url": mail_url,
        "mail_from": mail_from or formataddr((shop_name, "shop@localhost")),
        "shop_url": shop_url or f"http://localhost:{port}",
    }


def _shop_url(raw: str) -> str:
    url = urlsplit(raw)
    if url.scheme not in ("http", "https") or not url.hostname or url.query or url.fragment or not raw.isprintable():
        raise ValueError(raw)
    return raw.rstrip("/")


def _currency(raw: str) -> str:
    if len(raw) != 3 or not raw.isascii() or not raw.isupper():
        raise ValueError(raw)
    return raw


def _secret_key(read: Reader, data_dir: Path, app_env: str) -> str:
    """The SECRET_KEY; in development one is made and kept, so that carts outlive a restart."""
    given = read.environ.get("SECRET_KEY", "")
    if given and not (app_env == "production" and given.lower() in DEFAULT_SECRETS):
        return given
    if given:
        read.problems.append("SECRET_KEY=(hidden) is a word that everybody knows: give a long random string.")
        return ""
    if app_env != "development":
        read.problems.append("SECRET_KEY is missing: outside development give a long random string.")
        return ""
    return keep_secret(data_dir / "secret-key")


def keep_secret(path: Path) -> str:
    """Return the secret in `path`, making it (mode 600) on first use; processes that race agree on one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    draft.touch(mode=0o600)
    draft.write_text(secrets.token_urlsafe(32))
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    return path.read_text()
