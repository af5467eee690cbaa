"""The checkout: all holds of a cart become one order, or nothing changes."""

import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from decimal import ROUND_HALF_UP, Decimal
from itertools import groupby
from operator import attrgetter
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from storefront.cart import basket
from storefront.cart.lines import Line, lines_of, total
from storefront.core import idempotency
from storefront.core.db import transaction
from storefront.core.errors import Refusal
from storefront.core.idempotency import IdempotencyKey
from storefront.orders.events import order_placed
from storefront.orders.forms import Details
from storefront.orders.models import Order, OrderLine
from storefront.orders.payment import PaymentProvider
from storefront.stock import reservations
from storefront.stock.ledger import Change, Reason, record
from storefront.stock.outcomes import HoldExpired, InsufficientStock, LimitReached, PassRequired, SoldOut
from storefront.stock.settlement import Ended, settle_all
from storefront.stock.stockroom import Stockroom

CENT = Decimal("0.01")
ORDERED = 201


class CartEmpty(Refusal):
    code, title = "cart_empty", "The cart is empty"


class RefusedBefore(Refusal):
    code, title = "refused_before", "This order was refused before"


class TotalChanged(Refusal):
    code, title = "total_changed", "The total has changed"


@dataclass(frozen=True)
class Purchase:
    """One attempt to order: who, where to, for how much by the shopper's page, under which key."""

    shopper: str
    details: Details
    expected_amount: Decimal
    key: str
    body_hash: str


@dataclass(frozen=True)
class Till:
    """What a checkout needs beside the stockroom."""

    payment: PaymentProvider
    currency: str
    tax_percent: int


def place(room: Stockroom, till: Till, purchase: Purchase) -> dict[str, Any]:
    """Order the whole cart; return {"id", "token", "status", "total"}, the same again for the same key.

    A hold that ran out is taken anew if units are free. Raises CartEmpty, HoldExpired (names the
    SKU that cannot be had), TotalChanged, InsufficientStock and idempotency.KeyReused; then nothing
    has changed.
    """
    answer = _first_answer(room, purchase)
    if answer is not None:
        return answer
    try:
        return _place(room, till, purchase)
    except (IntegrityError, Refusal):  # perhaps because the same request, sent twice at once, came first
        answer = _first_answer(room, purchase)
        if answer is None:
            raise
        return answer


def _place(room: Stockroom, till: Till, purchase: Purchase) -> dict[str, Any]:
    lines, renewed = _hold_all(room, purchase)
    try:
        _check_total(lines, purchase, till)
        answer, sold = _sell(room, till, purchase, lines)
    except Refusal:
        _give_back(room, purchase.shopper, renewed)
        raise
    settle_all(room, sold)
    return answer


def _hold_all(room: Stockroom, purchase: Purchase) -> tuple[list[Line], list[str]]:
    """The lines to order, all held; and the SKUs that had to be taken anew for that.

    A line that ran out is left aside where the shopper's total shows that he knew; else it ran out
    while he filled in the form, and is held again.
    """
    shopper = purchase.shopper
    lines = lines_of(room, shopper)
    held = [line for line in lines if line.state == "held"]
    if held and total(held) == purchase.expected_amount:
        return held, []
    if not lines:
        raise CartEmpty("There is nothing in the cart.")
    renewed: list[str] = []
    for line in lines:
        if line.state == "expired":
            try:
                basket.hold_again(room, shopper, line.sku)
            except (SoldOut, InsufficientStock, LimitReached, PassRequired) as refusal:
                _give_back(room, shopper, renewed)
                raise HoldExpired(
                    f"Your hold on {line.title} has run out and it cannot be held again: {refusal.detail}",
                    sku=line.sku,
                ) from refusal
            renewed.append(line.sku)
    return (lines_of(room, shopper) if renewed else lines), renewed


def _give_back(room: Stockroom, shopper: str, skus: Sequence[str]) -> None:
    for sku in skus:
        basket.remove(room, shopper, sku)


def _check_total(lines: Sequence[Line], purchase: Purchase, till: Till) -> None:
    now = total(lines)
    if now != purchase.expected_amount:
        raise TotalChanged(
            f"The total is {now:.2f} {till.currency} now.", total={"amount": f"{now:.2f}", "currency": till.currency}
        )


def _sell(room: Stockroom, till: Till, purchase: Purchase, lines: Sequence[Line]) -> tuple[dict[str, Any], list[Ended]]:
    """The sale: holds, order, ledger, ERP buffer and idempotency key in one transaction."""
    now_ms = room.now_ms()
    ids = [one for line in lines for one in line.reservation_ids]
    with transaction(room.engine) as session:
        order = _order(till, purchase, lines, now_ms)
        session.add(order)
        session.flush()
        answer = answer_of(order)
        session.add(
            IdempotencyKey(
                shopper=purchase.shopper, key=purchase.key, body_hash=purchase.body_hash,
                status=ORDERED, answer=answer, created_at_ms=now_ms,
            )
        )  # fmt: skip
        session.flush()  # a second request with this key waits here, and then fails
        sold = reservations.sell(session, ids, order.cause, now_ms)
        _commit_units(session, order, sold, now_ms)
        order_placed.send(session=session, order=order, now_ms=now_ms)
    return answer, sold


def _order(till: Till, purchase: Purchase, lines: Sequence[Line], now_ms: int) -> Order:
    token = secrets.token_urlsafe(16)
    amount = total(lines)
    order = Order(
        token=token, shopper=purchase.shopper, status="placed", total=amount, currency=till.currency,
        payment=till.payment.pay(amount, till.currency, token).words, created_at_ms=now_ms,
        **asdict(purchase.details),
    )  # fmt: skip
    order.lines = [_order_line(till, number, line) for number, line in enumerate(lines, start=1)]
    return order


def _order_line(till: Till, number: int, line: Line) -> OrderLine:
    rate = till.tax_percent if line.variant.taxable else 0
    tax = (line.line_total * rate / (100 + rate)).quantize(CENT, ROUND_HALF_UP)
    return OrderLine(
        line=number, sku=line.sku, title=line.title, variant_title=line.variant_title,
        quantity=line.quantity, price=line.price, tax=tax, currency=till.currency,
    )  # fmt: skip


def _commit_units(session: Session, order: Order, sold: Sequence[Ended], now_ms: int) -> None:
    """Move the units of each SKU from reserved to committed, in the order of SKUs, so that orders never deadlock."""
    why = Reason("order placed", order.cause, now_ms, order.shopper)
    by_sku = sorted(sold, key=attrgetter("sku"))
    for sku, of_sku in groupby(by_sku, key=attrgetter("sku")):
        units = sum(one.ordered for one in of_sku)
        record(session, sku, "committed", Change(committed=units), why, held=True)


def _first_answer(room: Stockroom, purchase: Purchase) -> dict[str, Any] | None:
    """What this request was answered before, if it was. Raises RefusedBefore where that was a refusal."""
    with Session(room.engine) as session:
        earlier = idempotency.find(session, purchase.shopper, purchase.key, purchase.body_hash)
    if earlier is not None and earlier.status != ORDERED:
        raise RefusedBefore("This request was refused before; order with a new Idempotency-Key.")
    return earlier.answer if earlier else None


def answer_of(order: Order) -> dict[str, Any]:
    """An order in short, as the API tells it."""
    return {
        "id": order.id,
        "number": order.number,
        "token": order.token,
        "status": order.status,
        "total": {"amount": f"{order.total:.2f}", "currency": order.currency},
    }
