"""Orders for Tryton, and batches of them."""

from collections.abc import Mapping
from decimal import Decimal
from itertools import count

from msgspec.structs import replace

from storefront.erp.adapter import Batch
from storefront.erp.documents import CANCELLED, PLACED, Document, Line, content_of, encode, hash_of, key_of

ORDER_IDS = count(1)


def order_of(units: Mapping[str, int], *, price: str = "2.50", **changed: object) -> Document:
    """A new order of some units by SKU, each for the same price; anything of it can be changed."""
    order_id = next(ORDER_IDS)
    lines = tuple(
        Line(number, sku, f"A {sku}", quantity, Decimal(price), Decimal(0))
        for number, (sku, quantity) in enumerate(units.items(), 1)
    )
    order = Document(
        key=key_of(order_id, PLACED),
        kind=PLACED,
        order_id=order_id,
        number=str(1000 + order_id),
        at_ms=1_700_000_000_000 + order_id,
        email=f"buyer{order_id}@example.org",
        name=f"Buyer {order_id}",
        line1="1 Harbour Street",
        line2="",
        city="Rotterdam",
        postal_code="3011",
        region="",
        country="NL",
        currency="EUR",
        total=sum((line.unit_price * line.quantity for line in lines), Decimal(0)),
        lines=lines,
    )
    return replace(order, **changed)


def cancelled(order: Document) -> Document:
    return replace(order, key=key_of(order.order_id, CANCELLED), kind=CANCELLED)


def batch_of(*orders: Document) -> Batch:
    content_hash = hash_of(content_of(map(encode, orders)))
    return Batch(content_hash[:12], 1, orders[0].kind, content_hash, orders)
