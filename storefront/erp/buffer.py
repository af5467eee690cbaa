"""Rows into the buffer: one per order and version, in the order's own transaction."""

from sqlalchemy.orm import Session

from storefront.erp.models import BufferRow
from storefront.orders.models import Order


def add_placed(_sender: object, *, session: Session, order: Order, now_ms: int) -> None:
    """Note that `order` has been placed."""
    session.add(BufferRow(order_id=order.id, version=1, kind="placed", created_at_ms=now_ms))


def add_cancelled(_sender: object, *, session: Session, order: Order, now_ms: int) -> None:
    """Note that `order` has been cancelled."""
    session.add(BufferRow(order_id=order.id, version=2, kind="cancelled", created_at_ms=now_ms))
