"""Behind the scenes of a running shop: its own code on its own Redis and database, for what no visitor can do."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import requests

from storefront import create_app
from storefront.core.config import load_settings
from storefront.core.db import db
from storefront.core.tools import take
from storefront.stock.stockroom import Stockroom
from storefront.waiting_room import sales
from storefront.waiting_room.models import Sale
from storefront.waiting_room.sales import NewSale
from tests.running import RunningShop

HOUR_MS = 3_600_000


class Backstage:
    """Makes and steers the sales of a running shop, as an operator would."""

    def __init__(self, shop: RunningShop):
        self.shop = shop
        self._app = create_app(load_settings({**shop.environ, "SECRET_KEY": "test"}))
        self._lock = threading.Lock()

    @contextmanager
    def room(self) -> Iterator[Stockroom]:
        with self._lock, self._app.app_context():
            yield take("stockroom")

    def sale(self, *skus: str, opens_in_ms: int = 0, **fields: Any) -> str:
        """Create a sale; return its slug once the shop knows it in Redis."""
        slug = fields.pop("slug", f"sale-{uuid4().hex[:8]}")
        with self.room() as room:
            given = {"slug": slug, "skus": skus, "opens_at_ms": room.now_ms() + opens_in_ms, "rate": 1_000.0}
            sales.create(room, NewSale(**{**given, **fields}), "ops")
        return slug

    def change(self, slug: str, verb: str) -> Sale:
        with self.room() as room:
            return sales.change_state(room, slug, verb, "ops")

    def close_sales(self) -> None:
        """Close every sale that is not closed, so that the next test has the shop to itself."""
        with self.room() as room:
            for sale in sales.all_sales(room, closed=False):
                sales.change_state(room, sale.slug, "close", "ops")

    def pace(self, slug: str, rate: float) -> None:
        with self.room() as room:
            sales.set_pace(room, slug, "ops", rate=rate, active_most=100)

    def say(self, slug: str, message: str) -> None:
        with self.room() as room:
            sales.say(room, slug, message, "ops")

    def close(self) -> None:
        with self._app.app_context():
            db.engine.dispose()
            take("stockroom").redis.close()
            take("stockroom").unfenced.close()


def join(shop: RunningShop, slug: str, session: requests.Session | None = None) -> requests.Session:
    """Somebody who has joined a sale."""
    session = session or shop.shopper()
    session.post(f"{shop.url}/api/v1/sales/{slug}/tickets", timeout=10).raise_for_status()
    return session


def place_of(shop: RunningShop, slug: str, session: requests.Session) -> dict[str, Any]:
    answer = session.get(f"{shop.url}/api/v1/sales/{slug}/tickets/me", timeout=10)
    answer.raise_for_status()
    return answer.json()


def cookies_of(session: requests.Session) -> str:
    """What a browser would send along with its handshake."""
    return "; ".join(f"{cookie.name}={cookie.value}" for cookie in session.cookies)


def state_of(shop: RunningShop, slug: str) -> str | None:
    """The state of a sale, or None while nothing can be said."""
    return requests.get(f"{shop.url}/api/v1/sales/{slug}", timeout=10).json().get("state")


def reason_of(shop: RunningShop, slug: str) -> str | None:
    """Why a sale lets nobody in."""
    return requests.get(f"{shop.url}/api/v1/sales/{slug}", timeout=10).json().get("reason")
