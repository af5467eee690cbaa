"""The rows that wait: which of them may go now, and which need not go any more."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, bindparam, exists, or_, select, update
from sqlalchemy.orm import Session

from storefront.erp.models import BufferRow, ErpDocument
from storefront.orders import figures

# Put together once, and without the ORM: these are asked for every few batches while a backlog drains.
_row, _document = BufferRow.__table__.c, ErpDocument.__table__.c
_placed, _cancelled = BufferRow.__table__.alias("placed").c, BufferRow.__table__.alias("cancelled").c


def _that_may_go(states: Sequence[str]) -> Select[Any]:
    """Rows that are due, the oldest first; a cancellation only once its order has one of these states."""
    before = exists().where(_placed.order_id == _row.order_id, _placed.version == 1, _placed.state.in_(states))
    return (
        select(_row.id, _row.kind, _row.created_at_ms, _row.revision, _document.text)
        .where(_document.row_id == _row.id, _document.revision == _row.revision)
        .where(_row.channel == bindparam("its_channel"), _row.state == "waiting")
        .where(_row.due_at_ms <= bindparam("due_ms"), or_(_row.version == 1, before))
        .order_by(_row.id)
        .limit(bindparam("most"))
    )


_AFTER_SENT, _AFTER_BOOKED = _that_may_go(("accepted", "applied")), _that_may_go(("applied",))
_REFUSED_AND_CANCELLED = (
    select(_placed.order_id)
    .where(_cancelled.order_id == _placed.order_id, _placed.version == 1, _cancelled.version == 2)
    .where(_placed.channel == "erp", _placed.state == "dead", _cancelled.state.in_(("waiting", "dead")))
)


def next_rows(session: Session, channel: str, in_order: bool, due_ms: int, most: int) -> Sequence[Any]:
    """The oldest rows that are due by `due_ms`, all of one kind: id, kind, created_at_ms, revision, text.

    in_order: sequence is kept, so a cancellation may follow an order that was merely sent.
    """
    query = _AFTER_SENT if in_order else _AFTER_BOOKED
    rows = session.execute(query, {"its_channel": channel, "due_ms": due_ms, "most": most}).all()
    return [row for row in rows if row.kind == rows[0].kind]


def withdraw_refused(session: Session) -> None:
    """Withdraw orders that were cancelled while the ERP refused them, and their cancellations."""
    orders = session.scalars(_REFUSED_AND_CANCELLED).all()
    if orders:
        both = update(BufferRow).where(BufferRow.order_id.in_(orders))
        session.execute(both.values(state="withdrawn"), execution_options={"synchronize_session": False})
        figures.forget(session, [one for one in orders if one is not None])
