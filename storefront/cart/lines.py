"""Cart lines: the reservations of one shopper, summed by SKU and priced by the catalogue."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby
from operator import attrgetter

from sqlalchemy import select
from sqlalchemy.orm import Session

from storefront.catalog.lookup import variants_by_sku
from storefront.catalog.models import Variant
from storefront.core.times import iso
from storefront.stock.models import Reservation
from storefront.stock.reservations import MOST_EXTENSIONS
from storefront.stock.stockroom import Stockroom

REMEMBERED_MS = 24 * 3600 * 1000  # for so long an expired line stays in sight


@dataclass(frozen=True)
class Line:
    """All units of one SKU that a shopper holds, or held until a moment ago (`state` "expired")."""

    variant: Variant
    quantity: int
    state: str
    expires_at_ms: int
    expires_in_ms: int
    can_extend: bool
    reservation_ids: tuple[str, ...]

    @property
    def sku(self) -> str:
        return self.variant.sku

    @property
    def title(self) -> str:
        return self.variant.product.title

    @property
    def variant_title(self) -> str:
        return self.variant.title

    @property
    def slug(self) -> str:
        return self.variant.product.slug

    @property
    def image_url(self) -> str | None:
        image = self.variant.product.image
        return self.variant.image_url or (image.url if image else None)

    @property
    def price(self) -> Decimal:
        return self.variant.price

    @property
    def line_total(self) -> Decimal:
        return self.price * self.quantity

    @property
    def expires_at(self) -> str:
        return iso(self.expires_at_ms)


def total(lines: Iterable[Line]) -> Decimal:
    """What the held lines cost together."""
    return sum((line.line_total for line in lines if line.state == "held"), Decimal("0.00"))


def lines_of(room: Stockroom, shopper: str) -> list[Line]:
    """The cart of `shopper`, oldest line first. Raises StockChecking while Redis' clock cannot be asked."""
    rows = _recent(room, shopper)
    if not rows:
        return []
    now_ms = room.now_ms()
    by_sku = sorted(rows, key=attrgetter("sku", "created_at_ms"))
    carts = [_cart_rows(list(of_sku), now_ms) for _, of_sku in groupby(by_sku, key=attrgetter("sku"))]
    carts = sorted((cart for cart in carts if cart), key=lambda cart: cart[0].created_at_ms)
    variants = variants_by_sku(room.engine, [cart[0].sku for cart in carts])
    return [_line(variants[cart[0].sku], cart, now_ms) for cart in carts if cart[0].sku in variants]


def held_units(room: Stockroom, shopper: str) -> dict[str, int]:
    """Units that `shopper` holds, by SKU, as SQL has them; needs no Redis."""
    units: dict[str, int] = {}
    for row in _recent(room, shopper):
        if row.state == "active":
            units[row.sku] = units.get(row.sku, 0) + row.units
    return units


def _recent(room: Stockroom, shopper: str) -> Sequence[Reservation]:
    with Session(room.engine) as session:
        return session.scalars(
            select(Reservation)
            .where(Reservation.shopper == shopper)
            .order_by(Reservation.created_at_ms.desc())
            .limit(1000)
        ).all()  # fmt: skip


def _cart_rows(rows: list[Reservation], now_ms: int) -> list[Reservation]:
    """Of one SKU's reservations (oldest first) what makes its line: the live ones, else those that ran out last.

    What ran out before the shopper did something else with the SKU (held, ordered or removed it) is over.
    """
    live = [row for row in rows if row.state == "active" and row.expires_at_ms > now_ms]
    touched_at_ms = max(_touched_at_ms(row) for row in rows)
    since_ms = max(touched_at_ms, now_ms - REMEMBERED_MS)
    ran_out = [row for row in rows if row.state in ("active", "expired") and row.expires_at_ms > since_ms]
    return live or ran_out


def _touched_at_ms(row: Reservation) -> int:
    """When the shopper last did something with a reservation: made it, ordered it or let go of it."""
    ended = row.state in ("sold", "released")
    return max(row.created_at_ms, row.ended_at_ms or 0) if ended else row.created_at_ms


def _line(variant: Variant, rows: list[Reservation], now_ms: int) -> Line:
    deadline = min(row.expires_at_ms for row in rows)
    return Line(
        variant=variant,
        quantity=sum(row.units for row in rows),
        state="held" if deadline > now_ms else "expired",
        expires_at_ms=deadline,
        expires_in_ms=max(0, deadline - now_ms),
        can_extend=any(row.extensions < MOST_EXTENSIONS for row in rows),
        reservation_ids=tuple(row.id for row in rows),
    )
