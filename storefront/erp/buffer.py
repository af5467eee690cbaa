"""The buffer: rows go in within the order's own transaction, and this is how it stands."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from storefront.core.db import transaction
from storefront.core.errors import Refusal
from storefront.erp.documents import CANCELLED, EDITABLE, PLACED, VERSIONS, document_of, edited, encode
from storefront.erp.models import ROW_STATES, BufferRow, ErpDocument, ErpSnapshot
from storefront.orders.models import Order
from storefront.stock.stockroom import Stockroom

UNSENT = ("waiting", "batched")
UNFINISHED = (*UNSENT, "accepted")  # the ERP has not spoken its last word on them


class UnknownRow(Refusal):
    code, status, title = "unknown_row", 404, "There is no such row in the buffer"


class NotDead(Refusal):
    code, title = "not_dead", "Only a dead letter can be sent again"


class NotEditable(Refusal):
    code, status, title = "not_editable", 422, "This field cannot be edited"


@dataclass(frozen=True)
class Backlog:
    """How many rows of a channel are in each state, and how long the oldest that is not with the ERP has waited."""

    waiting: int
    batched: int
    accepted: int
    applied: int
    dead: int
    withdrawn: int
    oldest_unsent_ms: int  # its age; 0 where nothing waits


def add_placed(_sender: object, *, session: Session, order: Order, now_ms: int) -> None:
    """Note that `order` has been placed, and what the ERP is to be told of it."""
    _add(session, order, PLACED, "waiting", now_ms)


def add_cancelled(_sender: object, *, session: Session, order: Order, now_ms: int) -> bool:
    """Note that `order` has been cancelled; return whether its units must wait for the ERP's next figures.

    An order that was never sent is withdrawn. One that was sent may have left the ERP's house before the
    cancellation arrives; so where the ERP counts the stock, it alone can say that the units are there.
    """
    unsent = (BufferRow.state == "waiting") & (BufferRow.tries == 0)
    withdrawn = session.execute(
        update(BufferRow)
        .where(BufferRow.order_id == order.id, BufferRow.version == 1, unsent | (BufferRow.state == "dead"))
        .values(state="withdrawn")
        .returning(BufferRow.id),
        execution_options={"synchronize_session": False},
    ).first()
    _add(session, order, CANCELLED, "withdrawn" if withdrawn else "waiting", now_ms)
    return not withdrawn and session.scalar(select(ErpSnapshot.id).limit(1)) is not None


def _add(session: Session, order: Order, kind: str, state: str, now_ms: int) -> None:
    row = BufferRow(order_id=order.id, version=VERSIONS[kind], kind=kind, state=state, created_at_ms=now_ms)
    session.add(ErpDocument(row=row, revision=1, text=encode(document_of(order, kind, now_ms))))


def backlog(room: Stockroom, channel: str = "erp") -> Backlog:
    """How a channel stands."""
    row = BufferRow
    with Session(room.engine) as session:
        by_state = select(row.state, func.count()).where(row.channel == channel).group_by(row.state)
        counts: dict[str, int] = {state: number for state, number in session.execute(by_state)}
        unsent = select(func.min(row.created_at_ms)).where(row.channel == channel, row.state.in_(UNSENT))
        oldest = session.scalar(unsent)
    age_ms = max(0, room.now_ms() - oldest) if oldest else 0
    return Backlog(**{state: counts.get(state, 0) for state in ROW_STATES}, oldest_unsent_ms=age_ms)


def has_unfinished(room: Stockroom, channel: str) -> bool:
    """Whether a channel has anything to send or to ask for."""
    rows = select(BufferRow.id).where(BufferRow.channel == channel, BufferRow.state.in_(UNFINISHED))
    with Session(room.engine) as session:
        return session.scalar(rows.limit(1)) is not None


def dead_letters(room: Stockroom, channel: str = "erp", most: int = 500) -> Sequence[BufferRow]:
    """What was rejected and waits for a person, the oldest first."""
    dead = select(BufferRow).where(BufferRow.channel == channel, BufferRow.state == "dead")
    with Session(room.engine) as session:
        return session.scalars(dead.order_by(BufferRow.id).limit(most)).all()


def retry(room: Stockroom, ids: Sequence[int] = (), channel: str = "erp") -> int:
    """Send dead letters again, all of a channel where none is named; return how many.

    Raises UnknownRow and NotDead, naming the first that is so; then none is sent.
    """
    now_ms = room.now_ms()
    with transaction(room.engine) as session:
        dead = select(BufferRow).where(BufferRow.channel == channel)
        some = dead.where(BufferRow.id.in_(ids)) if ids else dead.where(BufferRow.state == "dead")
        rows = session.scalars(some.with_for_update()).all()
        missing = sorted(set(ids) - {row.id for row in rows})
        if missing:
            raise UnknownRow(f"There is no row {missing[0]} in the buffer.", id=missing[0])
        for row in rows:
            if row.state != "dead":
                raise NotDead(f"Row {row.id} is {row.state}: only a dead letter can be sent again.", id=row.id)
            _send_again(row, now_ms)
    return len(rows)


def edit_and_retry(room: Stockroom, row_id: int, edits: dict[str, str], who: str) -> None:
    """Send a dead letter again with other words for the ERP (see EDITABLE); the order itself stays as it is.

    Raises UnknownRow, NotDead and NotEditable.
    """
    wrong = sorted(set(edits) - set(EDITABLE))
    if wrong:
        raise NotEditable(f"{wrong[0]} cannot be edited: only {', '.join(EDITABLE)}.", field=wrong[0])
    with transaction(room.engine) as session:
        row = session.get(BufferRow, row_id, with_for_update=True)
        if row is None or row.order_id is None:
            raise UnknownRow(f"There is no order in row {row_id} of the buffer.", id=row_id)
        if row.state != "dead":
            raise NotDead(f"Row {row_id} is {row.state}: only a dead letter can be sent again.", id=row_id)
        told = session.get_one(ErpDocument, (row.id, row.revision))
        row.revision += 1
        session.add(ErpDocument(row=row, revision=row.revision, text=edited(told.text, edits)))
        row.edits, row.edited_by = {**(row.edits or {}), **edits}, who[:100]
        _send_again(row, room.now_ms())


def _send_again(row: BufferRow, now_ms: int) -> None:
    row.state, row.batch_id, row.tries, row.due_at_ms = "waiting", None, 0, now_ms
