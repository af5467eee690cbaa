"""The ERP buffer: what the shop has to tell the ERP, written in the transaction that makes it true."""

from flask import Flask

from storefront.core.config import Settings
from storefront.core.tools import keep, take
from storefront.erp import buffer, events
from storefront.erp.adapters import open_adapter
from storefront.erp.exchange import Exchange
from storefront.orders.events import order_cancelled, order_placed


def init_app(app: Flask, settings: Settings) -> None:
    """Write a buffer row for every order that is placed or cancelled; keep the exchange with the ERP at hand.

    The same for who listens to events. Raises SettingsError where a setting of theirs is wrong.
    """
    adapter = open_adapter(settings)
    keep(
        app,
        "exchange",
        lambda: Exchange(
            take("stockroom"),
            adapter,
            batch_size=settings.erp_batch_size,
            batch_seconds=settings.erp_batch_seconds,
            stock_seconds=settings.erp_stock_seconds,
        ),
    )
    order_placed.connect(buffer.add_placed)
    order_cancelled.connect(buffer.add_cancelled)
    events.init_app(app, settings)
