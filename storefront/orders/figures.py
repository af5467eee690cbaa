"""What the ERP's stock figures know of our orders: which units they count as gone, and which orders have left."""

from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import Select, func, select, update
from sqlalchemy.orm import Session

from storefront.orders.models import Order, OrderLine
from storefront.stock.ledger import Change, Reason, record


def mark_deducted(session: Session, skus: Collection[str], orders: Collection[int] | Select[tuple[int]]) -> None:
    """Note that the ERP's figures for `skus` have the units of these orders deducted. An order never comes back."""
    lines = update(OrderLine).where(~OrderLine.deducted, OrderLine.sku.in_(skus), OrderLine.order_id.in_(orders))
    session.execute(lines.values(deducted=True), execution_options={"synchronize_session": False})


def undeducted(session: Session, skus: Collection[str]) -> Mapping[str, int]:
    """Units of our orders, by SKU, that the ERP's figures do not account for yet; SKUs without any are absent.

    A cancelled order that the ERP may have is among them: it could be on its way to the shopper.
    """
    rows = session.execute(
        select(OrderLine.sku, func.sum(OrderLine.quantity))
        .where(~OrderLine.deducted, OrderLine.sku.in_(skus))
        .group_by(OrderLine.sku)
    )
    return {sku: int(units) for sku, units in rows}


def forget(session: Session, orders: Collection[int]) -> None:
    """Note that the ERP does not have these cancelled orders: its figures need not account for them."""
    lines = update(OrderLine).where(~OrderLine.deducted, OrderLine.order_id.in_(orders))
    session.execute(lines.values(deducted=True), execution_options={"synchronize_session": False})


def lock_placed(session: Session, orders: Collection[int]) -> Sequence[Order]:
    """Those of `orders` that are placed, held against cancellation; to be called before levels are locked."""
    placed = select(Order).where(Order.id.in_(orders), Order.status == "placed").order_by(Order.id)
    return session.scalars(placed.with_for_update()).all()


def ship(session: Session, orders: Sequence[Order], cause: str, now_ms: int) -> None:
    """Note that these placed orders have left the house: their units are no longer on hand.

    In the caller's transaction, which has locked them and then the levels of their SKUs.
    """
    why = Reason("shipped by the ERP", cause, now_ms)
    for order in orders:
        order.status = "shipped"
        for line in order.lines:
            line.deducted = True
            record(session, line.sku, "shipped", Change(on_hand=-line.quantity, committed=-line.quantity), why)
    session.flush()


def at_risk(session: Session, sku: str, units: int) -> Sequence[Order]:
    """The youngest placed orders of `sku` that together have at least `units` of it, the youngest first."""
    orders = (
        select(Order, OrderLine.quantity)
        .join(OrderLine, OrderLine.order_id == Order.id)
        .where(OrderLine.sku == sku, Order.status == "placed")
        .order_by(Order.id.desc())
    )
    found: list[Order] = []
    for order, quantity in session.execute(orders):
        if units <= 0:
            break
        found.append(order)
        units -= quantity
    return found
