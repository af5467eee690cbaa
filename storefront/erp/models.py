"""The tables of the ERP sync: the buffer (a transactional outbox), its batches, the link, what came in, and events."""

from typing import Any

from sqlalchemy import JSON, BigInteger, CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from storefront.core.db import BigId, db

ROW_STATES = ("waiting", "batched", "accepted", "applied", "dead", "withdrawn")
BATCH_STATES = ("frozen", "unknown", "accepted", "done", "split")


def _one_of(column: str, words: tuple[str, ...]) -> CheckConstraint:
    return CheckConstraint(f"{column} IN {words}", name=column)


class BufferRow(db.Model):
    """One thing to tell: to the ERP that an order was placed (version 1) or cancelled (version 2), or an event.

    waiting: for a batch, not before `due_at_ms`. batched: in a batch that has no answer yet. accepted: it was
    taken and is not booked. applied: booked. dead: rejected, a person has to look (a dead letter). withdrawn: an
    order that was cancelled before the ERP had it, and its cancellation; neither is sent.
    """

    __tablename__ = "erp_buffer"
    __table_args__ = (
        UniqueConstraint("order_id", "version"),
        _one_of("state", ROW_STATES),
        Index("ix_erp_buffer_channel_state_id", "channel", "state", "id"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    order_id: Mapped[int | None] = mapped_column(ForeignKey("orders.id"))  # NULL: an event
    version: Mapped[int]
    kind: Mapped[str] = mapped_column(String(16))  # placed, cancelled, or the event's topic
    state: Mapped[str] = mapped_column(String(16), default="waiting")
    created_at_ms: Mapped[int] = mapped_column(BigInteger)
    channel: Mapped[str] = mapped_column(String(16), default="erp", server_default="erp")  # or events
    due_at_ms: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    batch_id: Mapped[str | None] = mapped_column(ForeignKey("erp_batches.id"), index=True)
    tries: Mapped[int] = mapped_column(default=0, server_default="0")  # how often it was put off, or asked about
    outcome: Mapped[str | None] = mapped_column(String(16))  # the last, see adapter.Result
    words: Mapped[str] = mapped_column(Text, default="", server_default=text("''"))  # the ERP's own
    erp_id: Mapped[str] = mapped_column(String(100), default="", server_default=text("''"))
    applied_at_ms: Mapped[int | None] = mapped_column(BigInteger)  # when we heard of it
    edits: Mapped[dict[str, Any] | None] = mapped_column(JSON)  # what an operator has changed in the document
    edited_by: Mapped[str] = mapped_column(String(100), default="", server_default=text("''"))
    revision: Mapped[int] = mapped_column(default=1, server_default="1")  # of its document, the one to send
    document: Mapped["ErpDocument"] = relationship(
        primaryjoin="and_(BufferRow.id == foreign(ErpDocument.row_id), BufferRow.revision == ErpDocument.revision)",
        viewonly=True, lazy="raise",
    )  # fmt: skip


class ErpDocument(db.Model):
    """What a row tells, as the JSON that is sent. It stays as it is: whoever edits it writes the next revision."""

    __tablename__ = "erp_documents"

    row_id: Mapped[int] = mapped_column(BigId, ForeignKey("erp_buffer.id"), primary_key=True)
    revision: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    text: Mapped[str] = mapped_column(Text)
    row: Mapped[BufferRow] = relationship()


class ErpBatch(db.Model):
    """What is sent at once: documents that stay as they are, stored before it is sent for the first time.

    frozen: not sent, or known not to have arrived. unknown: sent, perhaps it arrived. accepted: waits for
    acknowledgements. done. split: refused whole, and made into two smaller ones.
    """

    __tablename__ = "erp_batches"
    __table_args__ = (
        UniqueConstraint("adapter", "sequence"),
        _one_of("state", BATCH_STATES),
        Index("ix_erp_batches_adapter_state_sequence", "adapter", "state", "sequence"),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    adapter: Mapped[str] = mapped_column(String(32))
    sequence: Mapped[int]
    kind: Mapped[str] = mapped_column(String(16))
    content_hash: Mapped[str] = mapped_column(String(64))
    documents: Mapped[int]
    state: Mapped[str] = mapped_column(String(16), default="frozen")
    parent_id: Mapped[str | None] = mapped_column(String(36))
    created_at_ms: Mapped[int] = mapped_column(BigInteger)
    due_at_ms: Mapped[int] = mapped_column(BigInteger, default=0)
    sent_at_ms: Mapped[int | None] = mapped_column(BigInteger)  # last
    tries: Mapped[int] = mapped_column(default=0)
    words: Mapped[str] = mapped_column(Text, default="")
    members: Mapped[list[list[int]]] = mapped_column(JSON)  # row and revision of each document, in their order


class ErpLink(db.Model):
    """The link to one ERP: who may use it now (a lease with a fencing token), and whether it works (the breaker)."""

    __tablename__ = "erp_links"

    adapter: Mapped[str] = mapped_column(String(32), primary_key=True)
    token: Mapped[int] = mapped_column(default=0)  # rises with each holder; who has an older one may write nothing
    holder: Mapped[str] = mapped_column(String(100), default="")
    held_until_ms: Mapped[int] = mapped_column(BigInteger, default=0)
    failures: Mapped[int] = mapped_column(default=0)  # in a row
    open_until_ms: Mapped[int] = mapped_column(BigInteger, default=0)  # the breaker: nothing is sent before
    error: Mapped[str] = mapped_column(Text, default="")  # what went wrong last; empty once it works again
    alarm: Mapped[str] = mapped_column(Text, default="")  # why nothing is taken in until a person has looked
    answered_at_ms: Mapped[int | None] = mapped_column(BigInteger)  # last
    read_at_ms: Mapped[int] = mapped_column(BigInteger, default=0)  # when it was last asked for stock figures


class ErpSnapshot(db.Model):
    """A snapshot of stock figures that was taken in."""

    __tablename__ = "erp_snapshots"
    __table_args__ = (UniqueConstraint("adapter", "sequence"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    adapter: Mapped[str] = mapped_column(String(32))
    sequence: Mapped[int] = mapped_column(BigInteger)
    content_hash: Mapped[str] = mapped_column(String(64))
    source: Mapped[str] = mapped_column(String(200))
    as_of_ms: Mapped[int] = mapped_column(BigInteger)
    taken_at_ms: Mapped[int] = mapped_column(BigInteger)
    figures: Mapped[int]  # how many SKUs it named
    changed: Mapped[int]  # how many of ours it changed
    unknown: Mapped[list[str]] = mapped_column(JSON)  # SKUs that the shop does not sell, the first of them


class ErpProblem(db.Model):
    """A line of a file or reply that could not be taken in: a dead letter that came in."""

    __tablename__ = "erp_problems"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    adapter: Mapped[str] = mapped_column(String(32))
    source: Mapped[str] = mapped_column(String(200))
    line: Mapped[int | None]
    column: Mapped[str] = mapped_column(String(64))
    words: Mapped[str] = mapped_column(Text)
    raw: Mapped[str] = mapped_column(Text)
    at_ms: Mapped[int] = mapped_column(BigInteger)
    seen_by: Mapped[str] = mapped_column(String(100), default="")  # who has put it away


class ToldStock(db.Model):
    """The word that listeners to events know for a SKU's stock, and since when; the first one is noted and not told."""

    __tablename__ = "told_stock"
    __table_args__ = (_one_of("word", ("in_stock", "low", "sold_out")),)

    sku: Mapped[str] = mapped_column(String(64), primary_key=True)
    word: Mapped[str] = mapped_column(String(16))
    told_at_ms: Mapped[int] = mapped_column(BigInteger)
