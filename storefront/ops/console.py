"""The console at /ops/: how the shop is, at a glance."""

from flask import Blueprint, current_app, render_template
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from storefront.core.tools import take
from storefront.erp.models import BufferRow
from storefront.live.counts import counts
from storefront.ops.erp_facts import Alert, alerts, oldest_unsent_ms
from storefront.ops.health import checks, warnings
from storefront.orders.models import Order
from storefront.stock.models import Reservation, StockFence, StockLevel

pages = Blueprint("ops", __name__, url_prefix="/ops")


@pages.get("/")
def show() -> str:
    return render_template(
        "ops/index.html", checks=checks(), warnings=warnings(), figures=_figures() | _lines(), alerts=_alerts()
    )


def _alerts() -> list[Alert]:
    try:
        return alerts(take("stockroom"))
    except SQLAlchemyError:
        return []  # the checks tell of it


def _lines() -> dict[str, int]:
    """The live lines of this very process."""
    if "doors" not in current_app.extensions:
        return {}
    refused = {f"Refused or cut: {code.replace('_', ' ')}": times for code, times in sorted(counts.items())}
    return {"Live connections of this process": take("doors").open, **refused}


def _figures() -> dict[str, int]:
    counts = {
        "SKUs counted": select(func.count()).select_from(StockLevel),
        "Units held in carts": select(func.sum(Reservation.units)).where(Reservation.state == "active"),
        "Units committed to orders": select(func.sum(StockLevel.committed)),
        "Units short": select(func.sum(StockLevel.shortfall)),
        "Orders placed": select(func.count()).select_from(Order).where(Order.status == "placed"),
        "Orders cancelled": select(func.count()).select_from(Order).where(Order.status == "cancelled"),
        "Epoch of the stock in Redis": select(StockFence.epoch),
        "Dead letters of the ERP": select(func.count()).where(BufferRow.state == "dead"),
        "Waiting for the ERP": select(func.count()).where(BufferRow.state == "waiting"),
    }
    try:
        with Session(take("stockroom").engine) as session:
            found = {name: int(session.scalar(query) or 0) for name, query in counts.items()}
        return found | {"Seconds the oldest of them waits": oldest_unsent_ms(take("stockroom")) // 1000}
    except SQLAlchemyError:
        return {}  # the checks have told of it
