"""Cancelling an order: its units come back once, and so does the shopper's limit."""

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from storefront.core.db import transaction
from storefront.core.errors import Refusal
from storefront.orders.events import order_cancelled
from storefront.orders.models import Order
from storefront.stock.ledger import Change, Reason, lock_levels, record, tell
from storefront.stock.stockroom import Stockroom


class UnknownOrder(Refusal):
    code, status, title = "unknown_order", 404, "There is no such order"


class AlreadyShipped(Refusal):
    code, title = "already_shipped", "This order has left our house"


def find(session: Session, token: str) -> Order:
    """The order with this token. Raises UnknownOrder."""
    order = session.scalars(select(Order).where(Order.token == token)).one_or_none()
    if order is None:
        raise UnknownOrder("This order does not exist.")
    return order


def cancel(room: Stockroom, token: str) -> Order:
    """Cancel a placed order; one that is cancelled already stays so. Raises UnknownOrder and AlreadyShipped."""
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
            answers = order_cancelled.send(session=session, order=order, now_ms=now_ms)
            _return_units(session, order, now_ms, wait=any(answer for _, answer in answers))
        elif order.status == "shipped":
            raise AlreadyShipped("This order is on its way and cannot be cancelled any more.")
    tell(room, sorted({line.sku for line in order.lines}))
    return order


def _return_units(session: Session, order: Order, now_ms: int, wait: bool) -> None:
    """Give the units back, but not those that the ERP has deducted, or may ship yet: they come with its next figures.

    wait: none of them.
    """
    why = Reason("order cancelled", order.cause, now_ms, order.shopper)
    lock_levels(session, [line.sku for line in order.lines])
    session.refresh(order, ["lines"])  # as the last snapshot of the ERP's figures has left them
    for line in sorted(order.lines, key=lambda line: line.sku):
        gone = -line.quantity if wait or line.deducted else 0
        record(session, line.sku, "cancelled", Change(on_hand=gone, committed=-line.quantity), why)
        line.deducted = line.deducted or not wait  # nothing of it is to be taken off the next figures
