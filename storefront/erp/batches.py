"""Batches: rows of the buffer get one, with its content, before anything is sent; and one refused whole is halved."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import uuid4

import msgspec
from sqlalchemy import ColumnElement, Text, bindparam, cast, exists, func, insert, or_, select, true, update
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


class Standing(NamedTuple):
    """How a batch stands; without its content, which is long."""

    id: str
    sequence: int
    kind: str
    content_hash: str
    documents: int
    state: str
    due_at_ms: int
    tries: int


# What is done for each batch is put together once, and without the ORM.
_row, _batch = BufferRow.__table__, ErpBatch.__table__
TOLD = select(_row)
_ROWS = TOLD.where(_row.c.batch_id == bindparam("its_batch")).order_by(_row.c.id)
_JOIN = (
    update(_row)
    .where(_row.c.id.in_(bindparam("ids", expanding=True)))
    .values(state="batched", batch_id=bindparam("its_batch"))
)
_IN_STATE = (
    select(*(_batch.c[name] for name in Standing._fields))
    .where(_batch.c.adapter == bindparam("its_adapter"), _batch.c.state.in_(bindparam("states", expanding=True)))
    .order_by(_batch.c.sequence)
)
_SENDING = (
    update(_batch)
    .where(_batch.c.id.in_(bindparam("ids", expanding=True)))
    .values(state="unknown", tries=_batch.c.tries + 1, sent_at_ms=bindparam("now_ms"))
)


def freeze(session: Session, adapter: str, cut: Cut, now_ms: int, batches: int) -> list[Batch]:
    """Make up to `batches` batches of what is due, in the caller's transaction, which holds the link."""
    _withdraw_refused(session)
    made: list[Batch] = []
    while len(made) < batches:
        rows = _next_rows(session, cut, now_ms, batches - len(made))
        if not rows or (len(rows) < cut.most and rows[0].created_at_ms > now_ms - cut.age_ms):
            break
        whole = len(rows) - len(rows) % cut.most or len(rows)
        parts = [_part(rows[start : start + cut.most]) for start in range(0, whole, cut.most)]
        made += _make(session, adapter, rows[0].kind, parts, now_ms)
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


def _next_rows(session: Session, cut: Cut, now_ms: int, batches: int) -> Sequence[Any]:
    """The oldest row that may go, and what may go with it: rows of the same kind, for so many batches at most."""
    row = BufferRow
    query = (
        select(row.id, row.order_id, row.kind, cast(row.payload, Text).label("payload"), row.created_at_ms)
        .where(row.channel == cut.channel, row.state == "waiting", _may_go(cut.in_order))
        .where(true() if cut.in_haste else row.due_at_ms <= now_ms)
        .order_by(row.id)
    )
    oldest = session.execute(query.limit(1)).one_or_none()
    if oldest is None:
        return ()
    return session.execute(query.where(row.kind == oldest.kind).limit(batches * cut.most)).all()


def _may_go(in_order: bool) -> ColumnElement[bool]:
    """A cancellation goes only after its order: once that is booked, or sent, where sequence is kept."""
    placed = aliased(BufferRow)
    states = ("accepted", "applied") if in_order else ("applied",)
    before = exists().where(placed.order_id == BufferRow.order_id, placed.version == 1, placed.state.in_(states))
    return or_(BufferRow.version == 1, before)


class Part(NamedTuple):
    """What becomes one batch: documents as JSON, and the rows that they are of."""

    encoded: Sequence[str]
    row_ids: Sequence[int]


def _part(rows: Sequence[Any]) -> Part:
    return Part([_encoded(row) for row in rows], [row.id for row in rows])


def _encoded(row: Any) -> str:
    """What a row tells: an order's document stands in it as it is sent, an event's data only."""
    if row.order_id is not None:
        return str(row.payload)
    key = documents.key_of_event(row.id)
    return documents.encode(documents.Event(key, row.kind, row.created_at_ms, msgspec.json.decode(row.payload)))


def _make(
    session: Session, adapter: str, kind: str, parts: Sequence[Part], now_ms: int, parent_id: str | None = None
) -> list[Batch]:
    """Make a batch of each part, its content and hash stored before anybody can send it."""
    last = session.scalar(select(func.max(ErpBatch.sequence)).where(ErpBatch.adapter == adapter)) or 0
    contents = [documents.content_of(part.encoded) for part in parts]
    made = [
        Batch(str(uuid4()), sequence, kind, documents.hash_of(content), documents.documents_of(kind, content))
        for sequence, content in enumerate(contents, start=last + 1)
    ]
    session.execute(
        insert(ErpBatch),
        [
            {
                "id": batch.id, "adapter": adapter, "sequence": batch.sequence, "kind": kind, "content": content,
                "content_hash": batch.content_hash, "documents": len(batch.documents), "parent_id": parent_id,
                "created_at_ms": now_ms, "state": "frozen", "due_at_ms": 0, "tries": 0, "words": "",
            }
            for batch, content in zip(made, contents, strict=True)
        ],
    )  # fmt: skip
    for batch, part in zip(made, parts, strict=True):
        session.execute(_JOIN, {"ids": part.row_ids, "its_batch": batch.id})
    return made


def split(session: Session, batch: ErpBatch, now_ms: int) -> None:
    """Make two batches of the unanswered rows of one, in the caller's transaction, which holds the link."""
    by_key = {one.key: documents.encode(one) for one in documents.documents_of(batch.kind, batch.content)}
    rows = [row for row in rows_of(session, batch.id) if row.state in ("batched", "accepted")]
    half = (len(rows) + 1) // 2
    parts = [
        Part([by_key[key_of(row)] for row in some], [row.id for row in some])
        for some in (rows[:half], rows[half:])
        if some
    ]
    _make(session, batch.adapter, batch.kind, parts, now_ms, batch.id)
    batch.state = "split"


def in_state(session: Session, adapter: str, states: Sequence[str]) -> list[Standing]:
    """The batches of an adapter that are in one of these states, in their sequence."""
    those = session.execute(_IN_STATE, {"its_adapter": adapter, "states": states})
    return [Standing(*row) for row in those]


def note_sending(session: Session, some: Sequence[Standing], now_ms: int) -> None:
    """Note that batches are about to be sent, so that nobody takes them for some that were not."""
    session.execute(_SENDING, {"ids": [batch.id for batch in some], "now_ms": now_ms})


def note_unsent(session: Session, some: Sequence[Standing]) -> None:
    """Take back what `note_sending` has noted of batches that were frozen, and were not sent after all."""
    these = update(_batch).where(_batch.c.id.in_([batch.id for batch in some]))
    session.execute(these.values(state="frozen", tries=_batch.c.tries - 1))


def rows_of(session: Session, batch_id: str) -> Sequence[Any]:
    """The rows that are in a batch, in its order, with what is told and marked of them."""
    return session.execute(_ROWS, {"its_batch": batch_id}).all()


def key_of(row: Any) -> str:
    """The key of a row's document."""
    if row.order_id is None:
        return documents.key_of_event(row.id)
    return documents.key_of(row.order_id, row.kind)


def head_of(batch: Standing) -> BatchHead:
    return BatchHead(batch.id, batch.sequence, batch.kind, batch.content_hash)


def opened(session: Session, batch: Standing) -> Batch:
    """A batch with the documents in it, the same each time."""
    content = session.scalars(select(ErpBatch.content).where(ErpBatch.id == batch.id)).one()
    return Batch(batch.id, batch.sequence, batch.kind, batch.content_hash, documents.documents_of(batch.kind, content))
