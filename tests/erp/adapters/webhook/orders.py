"""Orders and batches as the shop sends them, by number."""

from decimal import Decimal

from storefront.erp.adapter import Batch, Wanted
from storefront.erp.documents import CANCELLED, PLACED, Document, Line, content_of, encode, hash_of, key_of


def order(number: int, sku: str = "MUG", quantity: int = 1, kind: str = PLACED) -> Document:
    """An order of units of one SKU at 10.00, or its cancellation."""
    lines = (Line(1, sku, "Mug", quantity, Decimal("10.00"), Decimal("1.67") * quantity),)
    return Document(
        key=key_of(number, kind), kind=kind, order_id=number, number=f"S-{number}", at_ms=1_790_000_000_000 + number,
        email="ann@example.org", name="Ann Ölund", line1="Main Street 1", line2="", city="Graz", postal_code="8010",
        region="", country="AT", currency="EUR", total=Decimal("10.00") * quantity, lines=lines,
    )  # fmt: skip


def cancellation(number: int, sku: str = "MUG", quantity: int = 1) -> Document:
    return order(number, sku, quantity, CANCELLED)


def batch(sequence: int, *documents: Document) -> Batch:
    """A batch as it is frozen; of one order of the batch's own number, unless `documents` say otherwise."""
    documents = documents or (order(sequence),)
    content_hash = hash_of(content_of(map(encode, documents)))
    return Batch(f"batch-{sequence}", sequence, documents[0].kind, content_hash, documents)


def wanted(
    *pending: str, last_sequence: int = 0, last_hash: str = "", skus: tuple[str, ...] = ("MUG", "CAP")
) -> Wanted:
    return Wanted(last_sequence, last_hash, pending, skus, since_ms=0, now_ms=0)
