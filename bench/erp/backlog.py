"""A backlog: orders as a checkout leaves them, put straight into the tables of a shop that is made for one run."""

import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from random import Random

from flask_migrate import upgrade
from sqlalchemy import Engine

from storefront import create_app
from storefront.core.config import load_settings
from storefront.core.db import db, transaction
from storefront.core.embedded_redis import EmbeddedRedis
from storefront.core.tools import take
from storefront.erp import buffer
from storefront.erp.exchange import Exchange
from storefront.orders.models import Order, OrderLine

CENT = Decimal("0.01")
TAX_PERCENT = 19
SKUS = [f"CUP-{number:03d}" for number in range(200)]
STREETS = ("Lindenallee", "Hauptstraße", "Rue de l'Église", "Kerkstraat", "Via Roma")
SLICE = 1000  # orders in one transaction
MOST_LINES = 3


@contextmanager
def open_exchange(folder: Path, redis: EmbeddedRedis, database_url: str = "") -> Iterator[Exchange]:
    """The exchange of a shop of its own without orders, with the settings of `make run`; its drop is `folder`/erp."""
    folder.mkdir(parents=True)
    environ = {"DATA_DIR": str(folder), "REDIS_URL": redis.url, "APP_ENV": "development"}
    settings = load_settings({**environ, **({"DATABASE_URL": database_url} if database_url else {})})
    with create_app(settings).app_context():
        upgrade()
        yield take("exchange")
        db.engine.dispose()


def add_orders(engine: Engine, count: int, skus: Sequence[str] = SKUS, seed: int = 4711) -> None:
    """Let `count` orders of 1 to 3 lines be placed, the last of them just now, none of them sent."""
    dice, now_ms = Random(seed), int(time.time() * 1000)
    for start in range(0, count, SLICE):
        ages_ms = range(count - start, max(count - start - SLICE, 0), -1)
        orders = [_order(dice, list(_lines(dice, skus)), now_ms - age_ms) for age_ms in ages_ms]
        with transaction(engine) as session:
            session.add_all(orders)
            session.flush()
            for one in orders:
                buffer.add_placed(None, session=session, order=one, now_ms=one.created_at_ms)


def _lines(dice: Random, skus: Sequence[str]) -> Iterator[OrderLine]:
    for number, sku in enumerate(dice.sample(skus, dice.randint(1, MOST_LINES)), start=1):
        price, quantity = Decimal(dice.randint(199, 19999)) / 100, dice.randint(1, 4)
        tax = (price * quantity * TAX_PERCENT / (100 + TAX_PERCENT)).quantize(CENT, ROUND_HALF_UP)
        yield OrderLine(
            line=number, sku=sku, title=f"Cup {sku}, hand-thrown", variant_title=f"Size {quantity}",
            quantity=quantity, price=price, tax=tax, currency="EUR",
        )  # fmt: skip


def _order(dice: Random, lines: list[OrderLine], at_ms: int) -> Order:
    return Order(
        token=secrets.token_urlsafe(16), shopper=secrets.token_hex(16), status="placed",
        email=f"shopper{at_ms}@example.org", name=f"Ann Example {at_ms}",
        line1=f"{dice.choice(STREETS)} {dice.randint(1, 199)}", line2="", city="Münster",
        postal_code=str(dice.randint(10000, 99999)), region="", country="DE", payment="on invoice", lines=lines,
        total=sum((one.line_total for one in lines), Decimal(0)), currency="EUR", created_at_ms=at_ms,
    )  # fmt: skip
