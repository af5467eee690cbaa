"""The jobs: each fetches its tools, makes one call into the domain and returns what it did, for the dashboard."""

from flask import current_app

from storefront.core.tools import take
from storefront.stock import rebuild, repair, reservations


def expire_holds() -> dict[str, int]:
    """End the reservations past their deadline and give their units back."""
    return {"expired": reservations.expire_all_due(take("stockroom"))}


def repair_stock() -> dict[str, int | None]:
    """Open the gate if it is closed; finish or undo what dead processes left half-done."""
    room = take("stockroom")
    current_app.logger.debug("repairing stock")
    return {"rebuilt": rebuild.rebuild_if_closed(room), **repair.repair(room)}
