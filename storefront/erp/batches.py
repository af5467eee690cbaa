"""Batches: rows of the buffer get one, with its content, before anything is sent; and one refused whole is halved."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from sqlalchemy import ColumnElement, exists, func, insert, or_, select, true, update
from sqlalchemy.orm import Session, aliased

from storefront.erp import documents
from storefront.erp.adapter import Batch, BatchHead
from storefront.erp.models import BufferRow, ErpBatch
from storefront.orders import figures

UNSENT = ("frozen", "unknown")


@dataclass(frozen=True)
class Cut:
    """When rows become a batch: `most` of them, or fewer once the oldest is `age_ms` old."""

    channel: str
    most: int
    age_ms: int
    in_order: bool  # the ERP works batches off in their sequence, so a cancellation may follow at once
    in_haste: bool = False  # rows that were put off go too


def freeze(session: Session, adapter: str, cut: Cut, now_ms: int, batches: int) -> int:
    """Make up to `batches` batches of what is due, in the caller's transaction, which holds the link."""
    _withdraw_refused(session)
    made = 0
    while made < batches:
        rows = _next_rows(session, cut, now_ms)
        if not rows or (len(rows) < cut.most and rows[0].created_at_ms > now_ms - cut.age_ms):
            break
        _make(session, adapter, rows[0].kind, documents.of_rows(session, rows), now_ms, [row.id for row in rows])
        made += 1
    return made


def _withdraw_refused(session: Session) -> None:
    """Withdraw orders that were cancelled while the ERP refused them, and their cancellations."""
    placed, cancelled = aliased(BufferRow), aliased(BufferRow)
    orders = session.scalars(
        select(placed.order_id)
        .join(cancelled, (cancelled.order_id == placed.order_id) & (cancelled.version == 2))
        .where(placed.channel == "erp", placed.state == "dead", placed.version == 1)
        .where(cancelled.state.in_(("waiting", "dead")))
    ).all()
    if orders:
        both = update(BufferRow).where(BufferRow.order_id.in_(orders))
        session.execute(both.values(state="withdrawn"), execution_options={"synchronize_session": False})
        figures.forget(session, [one for one in orders if one is not None])


def _next_rows(session: Session, cut: Cut, now_ms: int) -> Sequence[Any]:
    """The oldest row that may go, and what may go with it: rows of the same kind."""
    row = BufferRow
    query = (
        select(row.id, row.order_id, row.kind, row.payload, row.edits, row.created_at_ms)
        .where(row.channel == cut.channel, row.state == "waiting", _may_go(cut.in_order))
        .where(true() if cut.in_haste else row.due_at_ms <= now_ms)
        .order_by(row.id)
    )
    oldest = session.execute(query.limit(1)).one_or_none()
    if oldest is None:
        return ()
    return session.execute(query.where(row.kind == oldest.kind).limit(cut.most)).all()


def _may_go(in_order: bool) -> ColumnElement[bool]:
    """A cancellation goes only after its order: once that is booked, or sent, where sequence is kept."""
    placed = aliased(BufferRow)
    states = ("accepted", "applied") if in_order else ("applied",)
    before = exists().where(placed.order_id == BufferRow.order_id, placed.version == 1, placed.state.in_(states))
    return or_(BufferRow.version == 1, before)


def _make(
    session: Session, adapter: str, kind: str, some: Sequence[documents.Sendable], now_ms: int, row_ids: Sequence[int],
    parent_id: str | None = None,
) -> None:  # fmt: skip
    content = documents.content_of(some)
    batch_id = str(uuid4())
    last = session.scalar(select(func.max(ErpBatch.sequence)).where(ErpBatch.adapter == adapter)) or 0
    session.execute(
        insert(ErpBatch).values(
            id=batch_id, adapter=adapter, sequence=last + 1, kind=kind, content=content,
            content_hash=documents.hash_of(content), documents=len(some), parent_id=parent_id, created_at_ms=now_ms,
            state="frozen", due_at_ms=0, tries=0, words="",
        )
    )  # fmt: skip
    session.execute(
        update(BufferRow).where(BufferRow.id.in_(row_ids)).values(state="batched", batch_id=batch_id),
        execution_options={"synchronize_session": False},
    )


def split(session: Session, batch: ErpBatch, now_ms: int) -> None:
    """Make two batches of the unanswered rows of one, in the caller's transaction, which holds the link."""
    by_key = {one.key: one for one in documents.documents_of(batch.content)}
    rows = [row for row in rows_of(session, batch.id) if row.state in ("batched", "accepted")]
    half = (len(rows) + 1) // 2
    for some in (rows[:half], rows[half:]):
        if some:
            _make(
                session, batch.adapter, batch.kind, [by_key[key_of(row)] for row in some], now_ms,
                [row.id for row in some], batch.id,
            )  # fmt: skip
    batch.state = "split"


def rows_of(session: Session, batch_id: str) -> Sequence[BufferRow]:
    """The rows that are in a batch, in its order."""
    return session.scalars(select(BufferRow).where(BufferRow.batch_id == batch_id).order_by(BufferRow.id)).all()


def key_of(row: BufferRow) -> str:
    """The key of a row's document."""
    if row.order_id is None:
        return documents.key_of_event(row.id)
    return documents.key_of(row.order_id, row.kind)


def head_of(batch: ErpBatch) -> BatchHead:
    return BatchHead(batch.id, batch.sequence, batch.kind, batch.content_hash)


def opened(batch: ErpBatch) -> Batch:
    """A batch with the documents in it, the same each time."""
    return Batch(
        batch.id, batch.sequence, batch.kind, batch.content_hash, documents=documents.documents_of(batch.content)
    )
