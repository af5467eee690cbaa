"""What the shopper of a request holds, for the templates."""

from collections.abc import Iterable
from typing import Any
from uuid import uuid4

from flask import current_app, g
from sqlalchemy.exc import SQLAlchemyError

from storefront.cart.lines import held_units
from storefront.core.shopper import shopper
from storefront.core.tools import take


def held_by_me(skus: Iterable[str]) -> dict[str, int]:
    """Units of each of `skus` that the shopper of this request holds."""
    held = _held()
    return {sku: held.get(sku, 0) for sku in skus}


def for_templates() -> dict[str, Any]:
    return {"cart_count": sum(_held().values()), "held_by_me": held_by_me, "new_click_id": lambda: uuid4().hex}


def _held() -> dict[str, int]:
    who = shopper()
    if "held" not in g:
        try:
            g.held = held_units(take("stockroom"), who) if who else {}
        except SQLAlchemyError:  # an error page must still be a page
            current_app.logger.exception("the cart cannot be read")
            g.held = {}
    return g.held
