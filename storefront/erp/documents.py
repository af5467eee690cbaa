"""The documents of the buffer: an order, or its cancellation, as an ERP is told of it."""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha256
from typing import Any

from sqlalchemy import BindParameter, bindparam, select
from sqlalchemy.orm import Session

from storefront.orders.models import Order, OrderLine, number_of

PLACED, CANCELLED = "placed", "cancelled"
VERSIONS = {PLACED: 1, CANCELLED: 2}


def key_of(order_id: int, kind: str) -> str:
    """The idempotency key of a document: the same however often it is sent."""
    return f"order-{order_id}-{VERSIONS[kind]}"


def order_id_of(key: str) -> int:
    """The order that a document's key belongs to."""
    return int(key.split("-")[1])


@dataclass(frozen=True)
class Line:
    """Units of one SKU in an order, at the price of its moment."""

    line: int  # counted from 1
    sku: str
    title: str
    quantity: int  # > 0, in a cancellation too
    unit_price: Decimal  # with tax
    tax: Decimal  # contained in unit_price x quantity

    def as_json(self) -> dict[str, Any]:
        return {**vars(self), "unit_price": str(self.unit_price), "tax": str(self.tax)}


@dataclass(frozen=True)
class Document:
    """An order as it was placed (kind `placed`), or the same order again as cancelled (kind `cancelled`)."""

    key: str
    kind: str
    order_id: int
    number: str  # what the shopper knows it by
    at_ms: int  # when it was placed or cancelled
    email: str
    name: str
    line1: str
    line2: str
    city: str
    postal_code: str
    region: str
    country: str  # ISO 3166, two letters
    currency: str  # ISO 4217
    total: Decimal
    lines: tuple[Line, ...]

    def as_json(self) -> dict[str, Any]:
        """The document with its amounts as decimal text."""
        return {**vars(self), "total": str(self.total), "lines": [one.as_json() for one in self.lines]}


def read_document(found: dict[str, Any]) -> Document:
    """The document that `as_json` told of."""
    lines = tuple(
        Line(**{**one, "unit_price": Decimal(one["unit_price"]), "tax": Decimal(one["tax"])}) for one in found["lines"]
    )
    return Document(**{**found, "total": Decimal(found["total"]), "lines": lines})


EDITABLE = ("email", "name", "line1", "line2", "city", "postal_code", "region", "country")


@dataclass(frozen=True)
class Event:
    """Something that has happened, for whoever listens. `key` stays the same however often it is sent."""

    key: str
    topic: str
    at_ms: int
    data: dict[str, Any]

    def as_json(self) -> dict[str, Any]:
        return dict(vars(self))


Sendable = Document | Event

# Without the ORM, and put together once: a backlog is drained twice as fast.
_order, _line = Order.__table__.c, OrderLine.__table__.c
_IDS: BindParameter[int] = bindparam("ids", expanding=True)
_ORDERS = select(_order.id, _order.currency, _order.total, *(_order[name] for name in EDITABLE)).where(
    _order.id.in_(_IDS)
)
_LINES = (
    select(
        _line.order_id, _line.line, _line.sku, _line.title, _line.variant_title, _line.quantity, _line.price, _line.tax
    )
    .where(_line.order_id.in_(_IDS))
    .order_by(_line.line)
)


def key_of_event(row_id: int) -> str:
    """The key of the event in a row of the buffer."""
    return f"event-{row_id}"


def of_rows(session: Session, rows: Sequence[Any]) -> list[Sendable]:
    """What rows of the buffer (id, order_id, kind, payload, edits, created_at_ms) tell, in their order."""
    ids = {"ids": [row.order_id for row in rows if row.order_id is not None]}
    orders = {one.id: one for one in session.execute(_ORDERS, ids)}
    lines: dict[int, list[Line]] = defaultdict(list)
    for order_id, line, sku, title, variant_title, *figures in session.execute(_LINES, ids):
        named = f"{title}, {variant_title}" if variant_title else title
        lines[order_id].append(Line(line, sku, named, *figures))
    return [
        Event(key_of_event(row.id), row.kind, row.created_at_ms, row.payload)
        if row.order_id is None
        else _document(row, orders[row.order_id], tuple(lines[row.order_id]))
        for row in rows
    ]


def _document(row: Any, order: Any, lines: tuple[Line, ...]) -> Document:
    order_id, currency, total, *address = order
    return Document(
        key=key_of(order_id, row.kind), kind=row.kind, order_id=order_id, number=number_of(order_id),
        at_ms=row.created_at_ms, currency=currency, total=total, lines=lines,
        **dict(zip(EDITABLE, address, strict=True)) | (row.edits or {}),
    )  # fmt: skip


def content_of(some: Sequence[Sendable]) -> str:
    """The content of a batch, letter by letter the same for the same documents."""
    return json.dumps([one.as_json() for one in some], ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def documents_of(content: str) -> tuple[Any, ...]:
    """What is in a batch's content: documents, or events."""
    return tuple(Event(**one) if "topic" in one else read_document(one) for one in json.loads(content))


def hash_of(content: str) -> str:
    """SHA-256 of a batch's content."""
    return sha256(content.encode()).hexdigest()
