"""The documents of the buffer: an order, or its cancellation, as an ERP is told of it."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from hashlib import sha256
from typing import Any

PLACED, CANCELLED = "placed", "cancelled"
VERSIONS = {PLACED: 1, CANCELLED: 2}


def key_of(order_id: int, kind: str) -> str:
    """The idempotency key of a document: the same however often it is sent."""
    return f"order-{order_id}-{VERSIONS[kind]}"


@dataclass(frozen=True)
class Line:
    """Units of one SKU in an order, at the price of its moment."""

    line: int  # counted from 1
    sku: str
    title: str
    quantity: int  # > 0, in a cancellation too
    unit_price: Decimal  # with tax
    tax: Decimal  # contained in unit_price x quantity


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
        return {
            **asdict(self),
            "total": str(self.total),
            "lines": [{**asdict(one), "unit_price": str(one.unit_price), "tax": str(one.tax)} for one in self.lines],
        }


def read_document(found: dict[str, Any]) -> Document:
    """The document that `as_json` told of."""
    lines = tuple(
        Line(**{**one, "unit_price": Decimal(one["unit_price"]), "tax": Decimal(one["tax"])}) for one in found["lines"]
    )
    return Document(**{**found, "total": Decimal(found["total"]), "lines": lines})


EDITABLE = ("email", "name", "line1", "line2", "city", "postal_code", "region", "country")


def content_of(documents: Sequence[Document]) -> str:
    """The content of a batch, letter by letter the same for the same documents."""
    return json.dumps([one.as_json() for one in documents], ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def documents_of(content: str) -> tuple[Document, ...]:
    """The documents of a batch's content."""
    return tuple(read_document(one) for one in json.loads(content))


def hash_of(content: str) -> str:
    """SHA-256 of a batch's content."""
    return sha256(content.encode()).hexdigest()
