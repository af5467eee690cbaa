"""Checkout and orders over HTTP: the page and the API make the same calls."""

from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import uuid4

from flask import Blueprint, Response, flash, jsonify, redirect, render_template, request
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as BaseResponse

from storefront.cart.lines import Line, total
from storefront.cart.routes import my_lines
from storefront.core import idempotency, money
from storefront.core.errors import InvalidInput, Refusal, Unavailable
from storefront.core.repeatable import repeatable
from storefront.core.shopper import shopper_at_change
from storefront.core.tools import take
from storefront.orders import cancellation, checkout, forms
from storefront.orders.countries import NAMES
from storefront.orders.models import Order

pages = Blueprint("orders", __name__)
api = Blueprint("orders_api", __name__, url_prefix="/api/v1/orders")


# --- pages


@pages.get("/checkout")
def show_checkout() -> BaseResponse | str:
    return _checkout_page(forms.CheckoutForm()) if _held_lines() else _to_cart()


@pages.post("/checkout")
def place() -> BaseResponse | str | tuple[str, int]:
    form = forms.CheckoutForm()
    if not form.validate():
        return _checkout_page(form), 422
    try:
        answer = checkout.place(take("stockroom"), take("till"), _purchase(form))
    except Unavailable:
        raise
    except Refusal as refusal:
        flash(refusal.detail, "error")
        return (_checkout_page(form), refusal.status) if _held_lines() else _to_cart()
    return redirect(f"/orders/{answer['token']}", 303)


def _purchase(form: forms.CheckoutForm) -> checkout.Purchase:
    details = forms.details_of(form)
    expected, key = request.form.get("expected_amount", ""), request.form.get("idempotency_key")
    try:
        amount = Decimal(expected)
    except InvalidOperation as error:
        raise InvalidInput("The page was incomplete; please check the total and send it again.") from error
    body_hash = idempotency.hash_of({**vars(details), "expected": expected})
    return checkout.Purchase(shopper_at_change(), details, amount, idempotency.check(key), body_hash)


def _checkout_page(form: forms.CheckoutForm) -> str:
    lines = _held_lines()
    return render_template(
        "orders/checkout.html",
        form=form,
        lines=lines,
        total=total(lines),
        expected_amount=f"{total(lines):.2f}",
        idempotency_key=uuid4().hex,
        expires_in_ms=min((line.expires_in_ms for line in lines), default=0),
    )


def _held_lines() -> list[Line]:
    return [line for line in my_lines() if line.state == "held"]


def _to_cart() -> BaseResponse:
    return redirect("/cart", 303)


@pages.get("/orders/<token>")
def show(token: str) -> str:
    with Session(take("stockroom").engine) as session:
        order = cancellation.find(session, token)
    return render_template("orders/order.html", order=_for_page(order))


@pages.post("/orders/<token>/cancel")
def cancel(token: str) -> BaseResponse:
    cancellation.cancel(take("stockroom"), token)
    flash("Your order is cancelled.", "success")
    return redirect(f"/orders/{token}", 303)


def _for_page(order: Order) -> dict[str, Any]:
    place = f"{order.postal_code} {order.city}"
    return {
        **{name: getattr(order, name) for name in ("number", "token", "status", "email", "name", "payment", "total")},
        "lines": order.lines,
        "address": [line for line in (order.line1, order.line2, place, order.region, NAMES.get(order.country)) if line],
        "created_at": datetime.fromtimestamp(order.created_at_ms / 1000, UTC),
        "can_cancel": order.status == "placed",
    }


# --- API


@api.post("")
@repeatable
def place_json() -> tuple[dict[str, Any], int]:
    body = request.get_json(silent=True)
    if not isinstance(body, dict):
        raise InvalidInput("Send a JSON object with Content-Type application/json.")
    purchase = checkout.Purchase(
        shopper=shopper_at_change(),
        key=idempotency.check(request.headers.get("Idempotency-Key")),
        details=forms.details_from_json(body),
        expected_amount=forms.amount_from_json(body.get("expected_total"), money.currency()),
        body_hash=idempotency.hash_of_request(request),
    )
    return checkout.place(take("stockroom"), take("till"), purchase), 201


@api.get("/<token>")
def show_json(token: str) -> Response:
    with Session(take("stockroom").engine) as session:
        order = cancellation.find(session, token)
    return jsonify(_as_json(order))


@api.post("/<token>/cancel")
@repeatable
def cancel_json(token: str) -> tuple[dict[str, Any], int]:
    return _as_json(cancellation.cancel(take("stockroom"), token)), 200


def _as_json(order: Order) -> dict[str, Any]:
    lines = [
        {"sku": line.sku, "title": line.title, "quantity": line.quantity, "price": str(line.price)}
        for line in order.lines
    ]
    return {**checkout.answer_of(order), "lines": lines}
