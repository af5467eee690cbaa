"""Orders and batches as the shop sends them, by number."""

from collections.abc import Sequence
from decimal import Decimal

from storefront.erp.adapter import Batch, Wanted
from storefront.erp.documents import PLACED, Document, Line, content_of, encode, hash_of, key_of


def order(order_id: int, *lines: Line, kind: str = PLACED, **parts: str) -> Document:
    """An order of one mug, unless `lines` say otherwise."""
    words = {
        "number": f"S-{order_id}",
        "email": "ann@example.org",
        "name": "Ann Ölund",
        "line1": "Main Street 1",
        "line2": "",
        "city": "Graz",
        "postal_code": "8010",
        "region": "",
        "country": "AT",
        "currency": "EUR",
    }
    lines = lines or (line(1),)
    total = sum((one.quantity * one.unit_price for one in lines), Decimal(0))
    return Document(key_of(order_id, kind), kind, order_id, at_ms=0, total=total, lines=lines, **{**words, **parts})


def line(number: int, sku: str = "MUG", quantity: int = 1, price: str = "10.00", title: str = "Mug") -> Line:
    return Line(number, sku, title, quantity, Decimal(price), Decimal("1.67"))


def batch(sequence: int, *documents: Document) -> Batch:
    """A batch as it is frozen; of one order of the batch's own number, unless `documents` say otherwise."""
    documents = documents or (order(sequence),)
    content_hash = hash_of(content_of(map(encode, documents)))
    return Batch(f"batch-{sequence}", sequence, documents[0].kind, content_hash, documents)


def wanted(
    last_sequence: int = 0, last_hash: str = "", skus: Sequence[str] = ("MUG", "CAP"), accept_gap: bool = False
) -> Wanted:
    return Wanted(last_sequence, last_hash, (), skus, since_ms=0, now_ms=0, accept_gap=accept_gap)
