"""The file that tells an ERP of orders, and the totals beside it."""

import csv
import io
import json
from collections.abc import Iterator
from decimal import Decimal
from hashlib import sha256

from storefront.core.times import iso
from storefront.erp.adapter import Batch
from storefront.erp.adapters.filedrop.cells import escape
from storefront.erp.documents import CANCELLED, Document

COLUMNS = (
    "order_id", "line", "sku", "quantity", "unit_price", "currency", "kind", "order_number", "at", "tax",
    "title", "email", "name", "line1", "line2", "city", "postal_code", "region", "country",
)  # fmt: skip


def write_orders(batch: Batch) -> tuple[bytes, bytes]:
    """The CSV file and the JSON beside it, byte by byte the same for the same batch.

    In a cancellation quantities and taxes are negative, so that all files together can be summed.
    """
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    writer.writerows(row for document in batch.documents for row in _rows(document))
    table = text.getvalue().encode()
    return table, _totals(batch, table)


def _rows(document: Document) -> Iterator[tuple[object, ...]]:
    sign = _sign(document.kind)
    order = (document.currency, document.kind, escape(document.number), iso(document.at_ms))
    address = [escape(text) for text in _address(document)]
    for one in document.lines:
        figures = (document.order_id, one.line, one.sku, sign * one.quantity, _plain(one.unit_price))
        yield (*figures, *order, _plain(sign * one.tax), escape(one.title), *address)


def _address(document: Document) -> tuple[str, ...]:
    return (
        *(document.email, document.name, document.line1, document.line2),
        *(document.city, document.postal_code, document.region, document.country),
    )


def _totals(batch: Batch, table: bytes) -> bytes:
    lines = [line for document in batch.documents for line in document.lines]
    sign = _sign(batch.kind)
    totals = {
        "batch": batch.id,
        "sequence": batch.sequence,
        "kind": batch.kind,
        "orders": len(batch.documents),
        "lines": len(lines),
        "quantity": sign * sum([line.quantity for line in lines]),
        "amount": _plain(sign * sum([line.quantity * line.unit_price for line in lines], Decimal(0))),
        "currency": ",".join(sorted({document.currency for document in batch.documents})),
        "sha256": sha256(table).hexdigest(),
        "content_hash": batch.content_hash,
    }
    return (json.dumps(totals, indent=1) + "\n").encode()


def _plain(amount: Decimal) -> str:
    """The digits of an amount, never as 1E+1."""
    text = str(amount)
    return f"{amount:f}" if "E" in text else text


def _sign(kind: str) -> int:
    return -1 if kind == CANCELLED else 1
