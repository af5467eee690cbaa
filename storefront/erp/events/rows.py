"""Rows of events: each is written in the transaction that makes it true, and can be sent again later.

Who ordered is nobody's business here: no name, no address, no token that opens the order's page.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from storefront.core.db import transaction
from storefront.core.errors import Refusal
from storefront.erp.buffer import UnknownRow
from storefront.erp.documents import Event, encode, key_of_event
from storefront.erp.models import BufferRow, ErpDocument
from storefront.orders import figures
from storefront.orders.events import order_cancelled, order_placed
from storefront.orders.models import Order
from storefront.stock.events import shortfall_raised
from storefront.stock.stockroom import Stockroom

CHANNEL = "events"
NAMED_MOST = 50  # orders at risk that a shortfall names: an event should stay small


class StillOnItsWay(Refusal):
    code, title = "still_on_its_way", "Only an event that was delivered or refused can be sent again"


class EventRows:
    """Writes what happens to orders and stock in one database; nothing of others, though signals reach all."""

    def __init__(self, engine: Engine):
        self._engine = engine

    def connect(self) -> None:
        order_placed.connect(self.add_placed)
        order_cancelled.connect(self.add_cancelled)
        shortfall_raised.connect(self.add_shortfall)

    def add_placed(self, _sender: object, *, session: Session, order: Order, now_ms: int) -> None:
        self._add(session, "order.placed", _told_of(order), now_ms)

    def add_cancelled(self, _sender: object, *, session: Session, order: Order, now_ms: int) -> None:
        self._add(session, "order.cancelled", _told_of(order), now_ms)

    def add_shortfall(
        self, _sender: object, *, session: Session, sku: str, units: int, cause: str, now_ms: int
    ) -> None:
        if self._is_ours(session):
            at_risk = figures.at_risk(session, sku, units)
            named = [_at_risk(order, sku) for order in at_risk[:NAMED_MOST]]
            data = {"sku": sku, "units": units, "cause": cause, "orders_at_risk": len(at_risk), "orders": named}
            self._add(session, "stock.shortfall", data, now_ms)

    def _add(self, session: Session, topic: str, data: dict[str, Any], now_ms: int) -> None:
        if self._is_ours(session):
            add(session, topic, data, now_ms)

    def _is_ours(self, session: Session) -> bool:
        return session.get_bind().engine.pool is self._engine.pool


def add(session: Session, topic: str, data: dict[str, Any], now_ms: int) -> None:
    """Write an event, in the caller's transaction."""
    row = BufferRow(channel=CHANNEL, version=1, kind=topic, created_at_ms=now_ms)
    session.add(row)
    session.flush()  # the key names the row
    told = Event(key_of_event(row.id), topic, now_ms, data)
    session.add(ErpDocument(row=row, revision=1, text=encode(told)))


def _told_of(order: Order) -> dict[str, Any]:
    lines = [
        {"line": one.line, "sku": one.sku, "quantity": one.quantity, "unit_price": str(one.price), "tax": str(one.tax)}
        for one in order.lines
    ]
    total = {"amount": f"{order.total:.2f}", "currency": order.currency}
    return {"order_id": order.id, "number": order.number, "total": total, "lines": lines}


def _at_risk(order: Order, sku: str) -> dict[str, Any]:
    units = sum(line.quantity for line in order.lines if line.sku == sku)
    return {"order_id": order.id, "number": order.number, "units": units}


def replay(room: Stockroom, ids: Sequence[int]) -> int:
    """Send the events in these rows again, delivered or refused, under the ids they had; return how many.

    Raises UnknownRow and StillOnItsWay, naming the first that is so; then none is sent.
    """
    now_ms = room.now_ms()
    with transaction(room.engine) as session:
        events = select(BufferRow).where(BufferRow.channel == CHANNEL, BufferRow.id.in_(ids))
        rows = session.scalars(events.order_by(BufferRow.id).with_for_update()).all()
        missing = sorted(set(ids) - {row.id for row in rows})
        if missing:
            raise UnknownRow(f"There is no event in row {missing[0]} of the buffer.", id=missing[0])
        for row in rows:
            if row.state not in ("applied", "dead"):
                raise StillOnItsWay(f"The event in row {row.id} has not been delivered yet.", id=row.id)
            row.state, row.batch_id, row.tries, row.due_at_ms = "waiting", None, 0, now_ms
    return len(rows)
