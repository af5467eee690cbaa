"""The world: database, Redis, proxy, processes and a catalogue, all in one temporary folder."""

import secrets
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Self

from flask import Flask
from flask_migrate import upgrade

from storefront import create_app
from storefront.catalog.models import Product, Variant
from storefront.core.config import load_settings
from storefront.core.db import db, transaction
from storefront.core.tools import take
from storefront.stock import ledger
from storefront.stock.rebuild import rebuild
from storefront.stock.stockroom import Stockroom
from tests.chaos.database import Database
from tests.chaos.family import Family
from tests.chaos.guard import Guard
from tests.chaos.shop_redis import ShopRedis
from tests.running import free_port

SCARCE = tuple(f"SCARCE-{number}" for number in range(4))
PLENTY = tuple(f"PLENTY-{number}" for number in range(4))
PROBE = "PROBE"
SCARCE_UNITS, PLENTY_UNITS, PROBE_UNITS = 12, 400, 1_000_000
PRICE = Decimal("5.00")
PROCESSES = ("web.1", "web.2", "worker.1", "clock.1")


class World:
    """Everything the shop consists of, started at the beginning of the block and gone after it.

    hold_seconds: how long reservations last, short so that many of them end.
    """

    def __init__(self, folder: Path, database: str, *, bug: str = "", hold_seconds: int = 3, redis: str | None = None):
        self.folder = folder
        self.hold_seconds = hold_seconds
        self.port = free_port()
        self.secret = secrets.token_urlsafe(16)
        self._guard = Guard()
        self.database = Database(database, folder, self._guard)
        self.redis = ShopRedis(folder, self._guard, redis)
        self.environ = {
            "DATA_DIR": str(folder), "PORT": str(self.port), "WEB_PROCESSES": "2", "DATABASE_URL": self.database.url,
            "REDIS_URL": self.redis.proxy.url, "SECRET_KEY": self.secret, "APP_ENV": "development",
            "HOLD_SECONDS": str(hold_seconds), "OPS_PASSWORD": "secret", "ASYNC_MODE": "eventlet",
            "RATELIMIT_ENABLED": "false",
        }  # fmt: skip
        self.family = Family(folder, self.environ, bug)
        direct = {**self.environ, "REDIS_URL": f"unix://{self.redis.socket}"}
        self.app: Flask = create_app(load_settings(direct))

    def __enter__(self) -> Self:
        with self.app.app_context():
            upgrade()
            units = dict.fromkeys(SCARCE, SCARCE_UNITS) | dict.fromkeys(PLENTY, PLENTY_UNITS) | {PROBE: PROBE_UNITS}
            self.stock_up(units)
            rebuild(self.room)
        return self

    @property
    def room(self) -> Stockroom:
        """A stockroom of the runner's own, past the proxy; inside an app context only."""
        return take("stockroom")

    def stock_up(self, units: dict[str, int]) -> None:
        """Put new products on sale; inside an app context only."""
        with transaction(db.engine) as session:
            for sku in units:
                variant = Variant(sku=sku, position=1, price=PRICE)
                session.add(Product(slug=sku.lower(), title=sku, variants=[variant]))
            ledger.open_levels(session, units, self.room.now_ms())

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.family.close()
        self.redis.close()
        with self.app.app_context():
            db.engine.dispose()
        self.database.close()
        self._guard.close()
