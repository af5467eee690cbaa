"""Cancelling an order: its units come back once, and so does the shopper's limit."""

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from storefront.core.db import transaction
from storefront.core.errors import Refusal
from storefront.orders.events import order_cancelled
from storefront.orders.models import Order
from storefront.stock.ledger import Change, Reason, record, tell
from storefront.stock.stockroom import Stockroom


class UnknownOrder(Refusal):
    code, status, title = "unknown_order", 404, "There is no such order"


def find(session: Session, token: str) -> Order:
    """The order with this token. Raises UnknownOrder."""
    order = session.scalars(select(Order).where(Order.token == token)).one_or_none()
    if order is None:
        raise UnknownOrder("This order does not exist.")
    return order


def cancel(room: Stockroom, token: str) -> Order:
    """Cancel a placed order; one that is cancelled already stays so. Raises UnknownOrder."""
    now_ms = room.now_ms()
    with transaction(room.engine) as session:
        order = find(session, token)
        won = session.scalar(
            update(Order)
            .where(Order.id == order.id, Order.status == "placed")
            .values(status="cancelled")
            .returning(Order.id),
            execution_options={"synchronize_session": "evaluate"},
        )
        if won is not None:
            _return_units(session, order, now_ms)
            order_cancelled.send(session=session, order=order, now_ms=now_ms)
    tell(room, sorted({line.sku for line in order.lines}))
    return order


def _return_units(session: Session, order: Order, now_ms: int) -> None:
    why = Reason("order cancelled", order.cause, now_ms, order.shopper)
    for line in sorted(order.lines, key=lambda line: line.sku):
        record(session, line.sku, "cancelled", Change(committed=-line.quantity), why)
