"""The basket: add, set, extend, remove. Each verb speaks of SKUs; the reservations behind it take the steps."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from sqlalchemy import update

from storefront.cart.lines import Line, lines_of
from storefront.core.db import transaction
from storefront.core.errors import InvalidInput, Refusal
from storefront.core.times import iso
from storefront.stock import reservations
from storefront.stock.models import Reservation
from storefront.stock.outcomes import (
    AlreadyHeld,
    ExtensionLimit,
    Held,
    HoldEnded,
    HoldExpired,
    HoldWithdrawn,
    Level,
    PassRequired,
    UnknownSku,
)
from storefront.stock.stockroom import Stockroom
from storefront.waiting_room import passes

MOST_UNITS = 1000  # of one SKU in one cart
MOST_WITHDRAWN = 20  # so often one click may come again after a 503
LONGEST_CLICK_ID = 255


class InvalidQuantity(Refusal):
    code, status, title = "invalid_quantity", 422, "The quantity is not valid"


@dataclass(frozen=True)
class Wish:
    """What a click asks for: `units` more of `sku`.

    The same `click_id` adds once. With `seen` (units the page showed as held) a cart that holds
    more by now is left as it is, so that a second tab or an old page adds nothing by accident.
    """

    sku: str
    units: int
    click_id: str | None = None
    seen: int | None = None


@dataclass(frozen=True)
class Added:
    """A line after an add: `quantity` is what the cart holds of the SKU now."""

    level: Level
    quantity: int
    expires_at_ms: int | None  # None: nothing was taken, the cart held more than the page knew

    def as_json(self) -> dict[str, Any]:
        expires_at = None if self.expires_at_ms is None else iso(self.expires_at_ms)
        return {**self.level.as_json(), "quantity": self.quantity, "expires_at": expires_at}


def check_quantity(raw: object, *, least: int = 1) -> int:
    """A quantity from outside as a number of units. Raises InvalidQuantity, saying what is allowed."""
    try:
        plain = isinstance(raw, str) and raw.isascii() and raw.isdigit()
        if isinstance(raw, bool) or not (isinstance(raw, int) or plain):
            raise ValueError(raw)
        units = int(raw)  # type: ignore[call-overload]
        if not least <= units <= MOST_UNITS:
            raise ValueError(raw)
    except ValueError as error:
        raise InvalidQuantity(f"Give a whole number from {least} to {MOST_UNITS}.", quantity=raw) from error
    return units


def check_wish(fields: Mapping[str, Any], key: str | None = None) -> Wish:
    """The wish in a form or a JSON body; `key` stands in for a missing click_id.

    Raises InvalidQuantity, UnknownSku and InvalidInput.
    """
    sku, click_id, seen = fields.get("sku"), fields.get("click_id") or key, fields.get("seen")
    if not isinstance(sku, str) or not sku:
        raise UnknownSku("Give the SKU of a variant as `sku`.", sku=sku)
    if click_id is not None and not (isinstance(click_id, str) and len(click_id) <= LONGEST_CLICK_ID):
        raise InvalidInput(f"A click_id or Idempotency-Key is a text of at most {LONGEST_CLICK_ID} characters.")
    return Wish(
        sku,
        check_quantity(fields.get("quantity")),
        click_id or None,
        None if seen in (None, "") else check_quantity(seen, least=0),
    )


def add(room: Stockroom, shopper: str, wish: Wish) -> Added:
    """Hold what `wish` asks for, or refuse and change nothing. Raises the refusals of `reservations.reserve`."""
    click_id = wish.click_id or uuid4().hex
    for withdrawn in range(MOST_WITHDRAWN):
        reservation_id = reservations.reservation_id_for(shopper, wish.sku, click_id, withdrawn)
        try:
            outcome = _reserve(room, shopper, wish, reservation_id)
        except HoldWithdrawn:  # this click was answered with 503 before, and comes again as it was asked to
            continue
        deadline = outcome.expires_at_ms if isinstance(outcome, Held) else None
        return Added(outcome.level, outcome.units_of_shopper, deadline)
    raise HoldEnded(sku=wish.sku)


def _reserve(room: Stockroom, shopper: str, wish: Wish, reservation_id: str) -> Held | AlreadyHeld:
    """Reserve; what belongs to a sale, with the permit of a shopper who was admitted to it."""

    def reserve(permit: str = "") -> Held | AlreadyHeld:
        return reservations.reserve(
            room, shopper=shopper, sku=wish.sku, units=wish.units, reservation_id=reservation_id, seen=wish.seen,
            permit=permit,
        )  # fmt: skip

    try:
        return reserve()
    except PassRequired as refusal:
        with passes.admission(room, refusal.facts["sale"], shopper, wish.sku, wish.units) as permit:
            return reserve(permit)


def set_units(room: Stockroom, shopper: str, sku: str, units: int) -> None:
    """Hold exactly `units` of `sku` (0 removes the line), or refuse and keep what is held.

    Raises as `add`; where another tab changes the line at the same moment, its result stands.
    """
    line = _line(room, shopper, sku)
    held = line.quantity if line and line.state == "held" else 0
    if units > held:
        add(room, shopper, Wish(sku, units - held, seen=held))
    elif units == 0:
        remove(room, shopper, sku)
    elif line:
        _lower(room, line, held - units)


def _lower(room: Stockroom, line: Line, units: int) -> None:
    """Give `units` of a line back, from its youngest reservation on."""
    for reservation_id, held in reversed(_units(room, line)):
        if units >= held:
            reservations.release(room, reservation_id, line.sku)
        elif units > 0:
            reservations.shrink(room, reservation_id, line.sku, held - units)
        units = max(0, units - held)


def _units(room: Stockroom, line: Line) -> list[tuple[str, int]]:
    with transaction(room.engine) as session:
        rows = [session.get(Reservation, one) for one in line.reservation_ids]
        return [(row.id, row.units) for row in rows if row]


def extend(room: Stockroom, shopper: str, sku: str) -> int:
    """Give the line as much time as it can have; return its deadline in ms. Raises HoldExpired and ExtensionLimit."""
    line = _line(room, shopper, sku)
    if line is None or line.state == "expired":
        raise HoldExpired("The hold has expired; add the item again.", sku=sku)
    refusals = []
    for reservation_id in line.reservation_ids:
        try:
            reservations.extend(room, reservation_id, sku)
        except ExtensionLimit as refusal:
            refusals.append(refusal)
    if len(refusals) == len(line.reservation_ids):
        raise refusals[0]
    extended = _line(room, shopper, sku)
    return extended.expires_at_ms if extended else line.expires_at_ms


def remove(room: Stockroom, shopper: str, sku: str) -> None:
    """Give all units of the line back; a line that expired is forgotten. Nothing happens where there is none."""
    line = _line(room, shopper, sku)
    if line is None:
        return
    for reservation_id in line.reservation_ids:
        reservations.release(room, reservation_id, sku)
    _forget_expired(room, line.reservation_ids)


def _forget_expired(room: Stockroom, ids: Iterable[str]) -> None:
    with transaction(room.engine) as session:
        session.execute(
            update(Reservation)
            .where(Reservation.id.in_(ids), Reservation.state == "expired")
            .values(state="released"),
            execution_options={"synchronize_session": False},
        )  # fmt: skip


def hold_again(room: Stockroom, shopper: str, sku: str) -> Added | None:
    """Reserve an expired line anew; None where it is held already. Raises as `add`."""
    line = _line(room, shopper, sku)
    if line is None or line.state == "held":
        return None
    return add(room, shopper, Wish(sku, line.quantity, seen=0))


def _line(room: Stockroom, shopper: str, sku: str) -> Line | None:
    line = next((line for line in lines_of(room, shopper) if line.sku == sku), None)
    if line and line.state == "expired":
        reservations.expire(room, line.reservation_ids)  # the sweep may not have come by yet
    return line
