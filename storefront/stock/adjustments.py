"""What an operator does to the stock: receive, adjust, count, set a limit."""

from collections.abc import Collection
from uuid import uuid4

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from storefront.core.db import transaction
from storefront.stock import reservations
from storefront.stock.ledger import Change, Reason, moved_after, record, tell
from storefront.stock.models import MAIN_LOCATION, StockLevel
from storefront.stock.outcomes import BelowPromised, InsufficientStock, SoldOut, UnknownSku
from storefront.stock.rebuild import rebuild
from storefront.stock.settlement import settle_all
from storefront.stock.stockroom import Stockroom


def receive(room: Stockroom, sku: str, units: int, reason: str) -> None:
    """Add `units` (> 0) that have arrived. Raises UnknownSku."""
    _move(room, sku, "received", units, reason)


def adjust(room: Stockroom, sku: str, delta: int, reason: str, *, force: bool = False) -> None:
    """Change on hand by `delta` units.

    Fewer units: they are first taken out of what is free, just as a shopper takes them, so that
    nothing promised is touched; where too few are free BelowPromised is raised, unless `force` says
    that they are gone in any case (the difference then shows as a shortfall). Raises UnknownSku.
    """
    if delta >= 0 or force:
        _move(room, sku, "adjusted", delta, reason)
    else:
        _take_out(room, sku, -delta, reason)


def _move(room: Stockroom, sku: str, kind: str, delta: int, reason: str) -> None:
    why = Reason(reason, "operator", room.now_ms())
    with transaction(room.engine) as session:
        record(session, sku, kind, Change(on_hand=delta), why, force=True)
    tell(room, [sku])


def _take_out(room: Stockroom, sku: str, units: int, reason: str) -> None:
    room.require_sku(sku)
    reservation_id = str(uuid4())
    try:
        reservations.reserve(room, shopper="", sku=sku, units=units, reservation_id=reservation_id)
    except (SoldOut, InsufficientStock) as refusal:
        free = refusal.facts["available"]
        raise BelowPromised(
            f"Only {free} units of {sku} are free; the rest is promised.", sku=sku, available=free
        ) from refusal
    why = Reason(reason, "operator", room.now_ms())
    try:
        with transaction(room.engine) as session:
            sold = reservations.sell(session, [reservation_id], "operator", why.now_ms)
            record(session, sku, "adjusted", Change(on_hand=-units), why, held=True)
    except Exception:
        reservations.release(room, reservation_id, sku)
        raise
    settle_all(room, sold)


def count(room: Stockroom, sku: str, units: int, as_of_ms: int, reason: str = "physical count") -> int:
    """Take a physical count: `units` were on hand as of `as_of_ms`; later movements stay on top of it.

    Returns the units by which on hand changed. Raises UnknownSku.
    """
    why = Reason(reason, "operator", room.now_ms())
    with transaction(room.engine) as session:
        query = select(StockLevel).where(StockLevel.sku == sku, StockLevel.location == MAIN_LOCATION)
        level = session.scalars(query.with_for_update()).one_or_none()
        if level is None:
            raise UnknownSku(f"There is no SKU {sku}.", sku=sku)
        delta = units + moved_after(session, sku, as_of_ms) - level.on_hand
        record(session, sku, "counted", Change(on_hand=delta), why, force=True)
    tell(room, [sku])
    return delta


def restrict(session: Session, skus: Collection[str], sale: str | None, limit: int | None) -> None:
    """Let only those who were admitted to `sale` reserve `skus`, each at most `limit` units; None lifts both.

    In the caller's transaction, which has closed the gate, and after which he rebuilds.
    """
    for sku in sorted(skus):  # in the order in which orders lock them
        session.execute(
            update(StockLevel).where(StockLevel.sku == sku).values(sale=sale, limit_per_shopper=limit),
            execution_options={"synchronize_session": False},
        )


def set_limit(room: Stockroom, sku: str, limit: int | None) -> None:
    """Let each shopper have at most `limit` units of `sku`, held and ordered; None lifts it. Raises UnknownSku."""
    room.require_sku(sku)
    with transaction(room.engine) as session:
        session.execute(update(StockLevel).where(StockLevel.sku == sku).values(limit_per_shopper=limit))
    rebuild(room)  # what each shopper has bought so far is counted there
