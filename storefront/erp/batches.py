"""Batches: rows of the buffer get one, with its content, before anything is sent; and one refused whole is halved."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import uuid4

from sqlalchemy import bindparam, func, insert, select, update
from sqlalchemy.orm import Session

from storefront.erp import documents, waiting
from storefront.erp.adapter import Batch, BatchHead, ErpAlarm
from storefront.erp.models import BufferRow, ErpBatch, ErpDocument

UNSENT = ("frozen", "unknown")
FAR_AWAY_MS = 1 << 62  # later than anything is put off


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
_WITH_TEXTS = (
    select(_row.c.id, _row.c.state, _row.c.revision, ErpDocument.text)
    .where(_row.c.batch_id == bindparam("its_batch"))
    .where(ErpDocument.row_id == _row.c.id, ErpDocument.revision == _row.c.revision)
    .order_by(_row.c.id)
)
_JOIN = (
    update(_row)
    .where(_row.c.id.in_(bindparam("ids", expanding=True)))
    .values(state="batched", batch_id=bindparam("its_batch"))
)
_IN_STATE = select(*(_batch.c[name] for name in Standing._fields)).where(
    _batch.c.adapter == bindparam("its_adapter"), _batch.c.state.in_(bindparam("states", expanding=True))
)
_SENDING = (
    update(_batch)
    .where(_batch.c.id.in_(bindparam("ids", expanding=True)))
    .values(state="unknown", tries=_batch.c.tries + 1, sent_at_ms=bindparam("now_ms"))
)


def freeze(session: Session, adapter: str, cut: Cut, now_ms: int, batches: int) -> dict[str, str]:
    """Make up to `batches` batches of what is due, in the caller's transaction, which holds the link.

    Returns the content of each by its id, so that it need not be read again.
    """
    waiting.withdraw_refused(session)
    due_ms = FAR_AWAY_MS if cut.in_haste else now_ms
    made: dict[str, str] = {}
    while len(made) < batches:
        rows = waiting.next_rows(session, cut.channel, cut.in_order, due_ms, (batches - len(made)) * cut.most)
        if not rows or (len(rows) < cut.most and rows[0].created_at_ms > now_ms - cut.age_ms):
            break
        whole = len(rows) - len(rows) % cut.most or len(rows)
        parts = [rows[start : start + cut.most] for start in range(0, whole, cut.most)]
        made |= _make(session, adapter, rows[0].kind, parts, now_ms)
    return made


def _make(
    session: Session, adapter: str, kind: str, parts: Sequence[Sequence[Any]], now_ms: int, parent_id: str | None = None
) -> dict[str, str]:
    """Make a batch of each part, which are rows with the text of their documents, before anybody can send it."""
    last = session.scalar(select(func.max(ErpBatch.sequence)).where(ErpBatch.adapter == adapter)) or 0
    made = {str(uuid4()): documents.content_of(row.text for row in rows) for rows in parts}
    session.execute(
        insert(ErpBatch),
        [
            {
                "id": batch_id, "adapter": adapter, "sequence": sequence, "kind": kind,
                "members": [[row.id, row.revision] for row in rows],
                "content_hash": documents.hash_of(content), "documents": len(rows), "parent_id": parent_id,
                "created_at_ms": now_ms, "state": "frozen", "due_at_ms": 0, "tries": 0, "words": "",
            }
            for sequence, (rows, (batch_id, content)) in enumerate(zip(parts, made.items(), strict=True), last + 1)
        ],
    )  # fmt: skip
    for batch_id, rows in zip(made, parts, strict=True):
        session.execute(_JOIN, {"ids": [row.id for row in rows], "its_batch": batch_id})
    return made


def split(session: Session, batch: ErpBatch, now_ms: int) -> None:
    """Make two batches of the unanswered rows of one, in the caller's transaction, which holds the link."""
    rows = [
        row for row in session.execute(_WITH_TEXTS, {"its_batch": batch.id}) if row.state in ("batched", "accepted")
    ]
    half = (len(rows) + 1) // 2
    _make(session, batch.adapter, batch.kind, [some for some in (rows[:half], rows[half:]) if some], now_ms, batch.id)
    batch.state = "split"


def in_state(session: Session, adapter: str, states: Sequence[str]) -> list[Standing]:
    """The batches of an adapter that are in one of these states, in their sequence."""
    those = session.execute(_IN_STATE, {"its_adapter": adapter, "states": states})
    return sorted((Standing(*row) for row in those), key=lambda one: one.sequence)  # SQLite would read all for it


def note_sending(session: Session, some: Sequence[Standing], now_ms: int) -> None:
    """Note that batches are about to be sent, so that nobody takes them for some that were not."""
    session.execute(_SENDING, {"ids": [batch.id for batch in some], "now_ms": now_ms})


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


def opened(batch: Standing, content: str) -> Batch:
    """A batch with the documents in it."""
    told = documents.documents_of(batch.kind, content)
    return Batch(batch.id, batch.sequence, batch.kind, batch.content_hash, told)


def content_of(session: Session, batch: Standing) -> str:
    """The content of a batch, the same each time. Raises ErpAlarm where its documents are not what they were."""
    members = session.scalars(select(ErpBatch.members).where(ErpBatch.id == batch.id)).one()
    row_ids = [row_id for row_id, _ in members]
    told = session.scalars(select(ErpDocument).where(ErpDocument.row_id.in_(row_ids)))
    texts = {(one.row_id, one.revision): one.text for one in told}
    content = documents.content_of(texts.get((row_id, revision), "") for row_id, revision in members)
    if documents.hash_of(content) != batch.content_hash:
        raise ErpAlarm(f"batch {batch.sequence} is not what it was when it was made: see erp_documents")
    return content
