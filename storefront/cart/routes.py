"""The cart over HTTP: plain forms for pages, JSON for programs. Both make the same calls."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Response, current_app, flash, jsonify, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from storefront.cart import basket
from storefront.cart.lines import Line, lines_of, total
from storefront.core.errors import InvalidInput, Refusal, Unavailable
from storefront.core.money import as_amount
from storefront.core.repeatable import repeatable
from storefront.core.shopper import shopper, shopper_at_change
from storefront.core.times import iso
from storefront.core.tools import take

pages = Blueprint("cart", __name__)
api = Blueprint("cart_api", __name__, url_prefix="/api/v1/cart")


class CookiesOff(Refusal):
    code, status, title = "cookies_required", 403, "Your browser sends no cookies"


def my_lines() -> list[Line]:
    """The cart of this request's shopper."""
    who = shopper()
    return lines_of(take("stockroom"), who) if who else []


# --- pages


@pages.get("/cart")
def show() -> str:
    lines = my_lines()
    hold_seconds = current_app.extensions["settings"].hold_seconds
    return render_template("cart/cart.html", lines=lines, total=total(lines), hold_seconds=hold_seconds)


@pages.post("/cart/items")
def add() -> BaseResponse:
    return _change(lambda: _add(request.form), "In your cart, held for you.")


@pages.post("/cart/items/<path:sku>/quantity")
def set_units(sku: str) -> BaseResponse:
    units = request.form.get("quantity")
    return _change(
        lambda: basket.set_units(take("stockroom"), shopper_at_change(), sku, basket.check_quantity(units, least=0)),
        "Your cart is up to date.",
    )


@pages.post("/cart/items/<path:sku>/extend")
def extend(sku: str) -> BaseResponse:
    return _change(lambda: basket.extend(take("stockroom"), shopper_at_change(), sku), "You have more time.")


@pages.post("/cart/items/<path:sku>/remove")
def remove(sku: str) -> BaseResponse:
    return _change(lambda: basket.remove(take("stockroom"), shopper_at_change(), sku), "Removed from your cart.")


@pages.post("/cart/items/<path:sku>/again")
def hold_again(sku: str) -> BaseResponse:
    return _change(lambda: basket.hold_again(take("stockroom"), shopper_at_change(), sku), "Held for you again.")


def _change(step: Callable[[], object], done: str) -> BaseResponse:
    """Take one step and show the cart; a refusal is told on the page the shopper came from, an outage as it is."""
    if shopper() is None and request.headers.get("Sec-Fetch-Mode") == "navigate":
        return _make_known()
    try:
        step()
    except Unavailable:
        raise
    except Refusal as refusal:
        flash(refusal.detail, "error")
        return redirect(_local(request.form.get("back")), 303)
    flash(done, "success")
    return redirect("/cart", 303)


def _make_known() -> BaseResponse:
    """Give a newcomer his cookie, and let his browser send the form again with it; nothing has changed before.

    Who clicks twice before the first answer has come sends both forms without a cookie, and would be two shoppers.
    A program does not do that, and may not follow: it is answered at once. Browsers say that they are none.
    """
    if "cookie" in request.args:
        raise CookiesOff("Your cart is kept by a cookie. Please allow this shop to set one. Nothing was changed.")
    shopper_at_change()
    return redirect(url_for(request.endpoint or "", **request.view_args or {}, cookie="sent"), 307)


def _local(path: str | None) -> str:
    """`path` if it leads to a page of this shop, else the cart."""
    try:
        safe = path and path.startswith("/") and not path.startswith(("//", "/\\")) and not urlsplit(path).netloc
    except ValueError:  # such as /<tab>/[
        safe = False
    return path if path and safe else "/cart"


# --- API


@api.get("")
def show_json() -> Response:
    return jsonify(_cart_json())


@api.post("/items")
@repeatable
def add_json() -> tuple[dict[str, Any], int]:
    return _add(_body()).as_json(), 201


@api.put("/items/<path:sku>")
@repeatable
def set_units_json(sku: str) -> tuple[dict[str, Any], int]:
    units = basket.check_quantity(_body().get("quantity"), least=0)
    basket.set_units(take("stockroom"), shopper_at_change(), sku, units)
    return _cart_json(), 200


@api.post("/items/<path:sku>/extend")
@repeatable
def extend_json(sku: str) -> tuple[dict[str, Any], int]:
    deadline = basket.extend(take("stockroom"), shopper_at_change(), sku)
    room = take("stockroom")
    return {"sku": sku, "expires_at": iso(deadline), "expires_in_ms": max(0, deadline - room.now_ms())}, 200


@api.delete("/items/<path:sku>")
@repeatable
def remove_json(sku: str) -> tuple[dict[str, Any], int]:
    basket.remove(take("stockroom"), shopper_at_change(), sku)
    return {}, 204


def _body() -> dict[str, Any]:
    body = request.get_json(silent=True)
    if not isinstance(body, dict):
        raise InvalidInput("Send a JSON object with Content-Type application/json.")
    return body


def _add(fields: Any) -> basket.Added:
    key = request.headers.get("Idempotency-Key")
    return basket.add(take("stockroom"), shopper_at_change(), basket.check_wish(fields, key))


def _cart_json() -> dict[str, Any]:
    lines = my_lines()
    held = [_line_json(line) for line in lines if line.state == "held"]
    expired = [_line_json(line) for line in lines if line.state == "expired"]
    return {"items": held, "expired": expired, "total": as_amount(total(lines))}


def _line_json(line: Line) -> dict[str, Any]:
    return {
        "sku": line.sku,
        "quantity": line.quantity,
        "expires_at": line.expires_at,
        "expires_in_ms": line.expires_in_ms,
        "price": str(line.price),
        "title": line.title,
        "variant": line.variant_title,
        "slug": line.slug,
    }
