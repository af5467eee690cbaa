"""Who the shopper is: a signed cookie, made at the first change."""

from collections.abc import Iterable
from typing import Any
from uuid import uuid4

from flask import current_app, g, session
from sqlalchemy.exc import SQLAlchemyError

from storefront.cart.lines import held_units
from storefront.core.tools import take


def shopper() -> str | None:
    """The shopper of this request, if he ever changed something."""
    return session.get("shopper")


def shopper_at_change() -> str:
    """The shopper of this request, made known now if he was not."""
    if "shopper" not in session:
        session.permanent = True
        session["shopper"] = uuid4().hex
    return session["shopper"]


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
