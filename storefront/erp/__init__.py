"""The ERP buffer: what the shop has to tell the ERP, written in the transaction that makes it true."""

from storefront.erp import buffer
from storefront.orders.events import order_cancelled, order_placed


def connect() -> None:
    """Write a buffer row for every order that is placed or cancelled from now on."""
    order_placed.connect(buffer.add_placed)
    order_cancelled.connect(buffer.add_cancelled)
