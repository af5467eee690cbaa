"""A backlog: orders as a checkout leaves them, put straight into the tables of a shop that is made for one run."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from random import Random

from flask_migrate import upgrade

from storefront import create_app
from storefront.core.config import load_settings
from storefront.core.db import db, transaction
from storefront.core.embedded_redis import EmbeddedRedis
from storefront.core.tools import take
from storefront.erp import buffer
from storefront.erp.exchange import Exchange
from storefront.orders.models import Order, OrderLine
from storefront.stock.stockroom import Stockroom

CENT = Decimal("0.01")
TAX_PERCENT = 19
GOODS = [(f"CUP-{number:03d}", f"Cup {number}, hand-thrown", f"Size {number % 3 + 1}") for number in range(200)]
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


def add_orders(room: Stockroom, count: int, seed: int = 4711) -> None:
    """Let `count` orders of 1 to 3 lines be placed, the last of them just now, none of them sent."""
    dice, now_ms = Random(seed), room.now_ms()
    for start in range(1, count + 1, SLICE):
        numbers = range(start, min(start + SLICE, count + 1))
        orders = [_order(dice, number, list(_lines(dice)), now_ms - count + number) for number in numbers]
        with transaction(room.engine) as session:
            session.add_all(orders)
            session.flush()
            for one in orders:
                buffer.add_placed(None, session=session, order=one, now_ms=one.created_at_ms)


def _lines(dice: Random) -> Iterator[OrderLine]:
    for number, (sku, title, variant) in enumerate(dice.sample(GOODS, dice.randint(1, MOST_LINES)), start=1):
        price, quantity = Decimal(dice.randint(199, 19999)) / 100, dice.randint(1, 4)
        tax = (price * quantity * TAX_PERCENT / (100 + TAX_PERCENT)).quantize(CENT, ROUND_HALF_UP)
        yield OrderLine(
            line=number, sku=sku, title=title, variant_title=variant, quantity=quantity, price=price, tax=tax,
            currency="EUR",
        )  # fmt: skip


def _order(dice: Random, order_id: int, lines: list[OrderLine], at_ms: int) -> Order:
    return Order(
        id=order_id, token=secrets.token_urlsafe(16), shopper=secrets.token_hex(16), status="placed",
        email=f"shopper{order_id}@example.org", name=f"Ann Example {order_id}",
        line1=f"{dice.choice(STREETS)} {dice.randint(1, 199)}", line2="", city="Münster",
        postal_code=str(dice.randint(10000, 99999)), region="", country="DE", payment="on invoice", lines=lines,
        total=sum((one.line_total for one in lines), Decimal(0)), currency="EUR", created_at_ms=at_ms,
    )  # fmt: skip
