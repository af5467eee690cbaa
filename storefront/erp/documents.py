"""The documents of the buffer: an order, or its cancellation, as an ERP is told of it; and events.

A document is written with the order itself, in its transaction, and stays as it is. See docs/decisions/0015.
"""

from collections.abc import Iterable
from decimal import Decimal
from hashlib import sha256
from typing import Any

import msgspec
from msgspec.structs import replace

from storefront.orders.models import Order, number_of

PLACED, CANCELLED = "placed", "cancelled"
VERSIONS = {PLACED: 1, CANCELLED: 2}
EDITABLE = ("email", "name", "line1", "line2", "city", "postal_code", "region", "country")


def key_of(order_id: int, kind: str) -> str:
    """The idempotency key of a document: the same however often it is sent."""
    return f"order-{order_id}-{VERSIONS[kind]}"


def order_id_of(key: str) -> int:
    """The order that a document's key belongs to."""
    return int(key.split("-")[1])


class Line(msgspec.Struct, frozen=True, gc=False):
    """Units of one SKU in an order, at the price of its moment."""

    line: int  # counted from 1
    sku: str
    title: str
    quantity: int  # > 0, in a cancellation too
    unit_price: Decimal  # with tax
    tax: Decimal  # contained in unit_price x quantity


class Document(msgspec.Struct, frozen=True, gc=False):
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


class Event(msgspec.Struct, frozen=True):
    """Something that has happened, for whoever listens. `key` stays the same however often it is sent."""

    key: str
    topic: str
    at_ms: int
    data: dict[str, Any]


Sendable = Document | Event


def key_of_event(row_id: int) -> str:
    """The key of the event in a row of the buffer."""
    return f"event-{row_id}"


def document_of(order: Order, kind: str, at_ms: int) -> Document:
    """The document of an order that is placed, or cancelled, now."""
    lines = [
        Line(
            one.line,
            one.sku,
            f"{one.title}, {one.variant_title}" if one.variant_title else one.title,
            one.quantity,
            one.price,
            one.tax,
        )
        for one in order.lines
    ]
    return Document(
        key=key_of(order.id, kind), kind=kind, order_id=order.id, number=number_of(order.id), at_ms=at_ms,
        currency=order.currency, total=order.total, lines=tuple(lines),
        **{name: getattr(order, name) for name in EDITABLE},
    )  # fmt: skip


def plain(one: Sendable) -> dict[str, Any]:
    """What JSON can hold of it; amounts are decimal text."""
    told: dict[str, Any] = msgspec.to_builtins(one)
    return told


def encode(one: Sendable) -> str:
    """The JSON of it, as it stands in the buffer."""
    return msgspec.json.encode(one).decode()


def read_document(encoded: str) -> Document:
    """The order or cancellation that `encode` made this of."""
    return msgspec.json.decode(encoded, type=Document)


def read_event(encoded: str) -> Event:
    """The event that `encode` made this of."""
    return msgspec.json.decode(encoded, type=Event)


def edited(encoded: str, edits: dict[str, str]) -> str:
    """An order or cancellation with other words in it (see EDITABLE), encoded."""
    return encode(replace(read_document(encoded), **edits))


def content_of(encoded: Iterable[str]) -> str:
    """The content of a batch of these."""
    return f"[{','.join(encoded)}]"


_read_documents = msgspec.json.Decoder(tuple[Document, ...]).decode
_read_events = msgspec.json.Decoder(tuple[Event, ...]).decode


def documents_of(kind: str, content: str) -> tuple[Any, ...]:
    """What is in the content of a batch of this kind: documents, or events."""
    return _read_documents(content) if kind in VERSIONS else _read_events(content)


def hash_of(content: str) -> str:
    """SHA-256 of a batch's content."""
    return sha256(content.encode()).hexdigest()
