"""The tables of the waiting room: sales, who was admitted to them, and who waits for a message."""

from sqlalchemy import BigInteger, CheckConstraint, Double, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from storefront.core.db import BigId, db

STATES = ("announced", "lobby", "open", "paused", "draining", "sold_out", "closed")


class Sale(db.Model):
    """A sale with a queue before it. SQL says what it is and in which state; Redis keeps the queue itself."""

    __tablename__ = "sales"
    __table_args__ = (CheckConstraint(f"state IN {STATES}", name="state"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(String(64), unique=True)
    title: Mapped[str] = mapped_column(String(200))
    state: Mapped[str] = mapped_column(String(10), default="announced")
    opens_at_ms: Mapped[int] = mapped_column(BigInteger)
    lobby_seconds: Mapped[int] = mapped_column(default=0)  # before it opens; 0: no lobby
    shuffle: Mapped[bool] = mapped_column(default=False)  # the places of the lobby are drawn by lot
    rate: Mapped[float] = mapped_column(Double)  # shoppers admitted per second
    active_most: Mapped[int]  # admitted shoppers at a time
    pass_seconds: Mapped[int] = mapped_column(default=300)
    grace_seconds: Mapped[int] = mapped_column(default=60)  # to show up after being admitted
    limit_units: Mapped[int] = mapped_column(default=1)  # per shopper, over all SKUs
    one_per_email: Mapped[bool] = mapped_column(default=False)
    seed: Mapped[str] = mapped_column(String(64))  # of the draw; secret until the sale has opened
    message: Mapped[str] = mapped_column(String(500), default="")  # of the operator, to all
    version: Mapped[int] = mapped_column(default=1)  # rises with each change, so that Redis' copy is seen to be old
    epoch: Mapped[int] = mapped_column(default=0)  # of the queue; rises when it is rebuilt
    created_at_ms: Mapped[int] = mapped_column(BigInteger)
    opened_at_ms: Mapped[int | None] = mapped_column(BigInteger)
    sold_out_at_ms: Mapped[int | None] = mapped_column(BigInteger)  # for the first time
    closed_at_ms: Mapped[int | None] = mapped_column(BigInteger)
    joined: Mapped[int] = mapped_column(default=0)  # as of the last tick

    variants: Mapped[list["SaleSku"]] = relationship(order_by="SaleSku.sku", lazy="selectin")

    @property
    def skus(self) -> list[str]:
        return [one.sku for one in self.variants]


class SaleSku(db.Model):
    """A SKU that is sold through a sale."""

    __tablename__ = "sale_skus"

    sale_id: Mapped[int] = mapped_column(ForeignKey("sales.id"), primary_key=True)
    sku: Mapped[str] = mapped_column(String(64), primary_key=True)


class SaleChange(db.Model):
    """An immutable row of the audit: who changed what of a sale."""

    __tablename__ = "sale_changes"
    __table_args__ = (Index("ix_sale_changes_sale_id", "sale_id"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    sale_id: Mapped[int] = mapped_column(ForeignKey("sales.id"))
    at_ms: Mapped[int] = mapped_column(BigInteger)
    who: Mapped[str] = mapped_column(String(100))
    what: Mapped[str] = mapped_column(String(1000))


class Admission(db.Model):
    """A shopper let in; numbered in the order of admission within an epoch of the queue."""

    __tablename__ = "admissions"
    __table_args__ = (Index("ix_admissions_sale_id_shopper", "sale_id", "shopper"),)

    sale_id: Mapped[int] = mapped_column(ForeignKey("sales.id"), primary_key=True)
    epoch: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    shopper: Mapped[str] = mapped_column(String(64))
    score: Mapped[int] = mapped_column(BigInteger)  # of his place: lower was before him
    joined_at_ms: Mapped[int] = mapped_column(BigInteger)
    admitted_at_ms: Mapped[int] = mapped_column(BigInteger)
    expires_at_ms: Mapped[int] = mapped_column(BigInteger)
    extensions: Mapped[int] = mapped_column(default=0)
    state: Mapped[str] = mapped_column(String(8))  # granted, arrived, spent, no_show, expired, left
    ended_at_ms: Mapped[int | None] = mapped_column(BigInteger)


class WaitingListEntry(db.Model):
    """Somebody who wants a message when a sold-out sale has units again; kept once he has confirmed his address."""

    __tablename__ = "waiting_list"
    __table_args__ = (
        UniqueConstraint("sale_id", "email"),
        Index("ix_waiting_list_email", "email"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    sale_id: Mapped[int] = mapped_column(ForeignKey("sales.id"))
    email: Mapped[str] = mapped_column(String(254))  # in small letters
    token: Mapped[str] = mapped_column(String(64), unique=True)
    created_at_ms: Mapped[int] = mapped_column(BigInteger)
    confirmed_at_ms: Mapped[int | None] = mapped_column(BigInteger)
    told_at_ms: Mapped[int | None] = mapped_column(BigInteger)


class WaitingListMail(db.Model):
    """A mail to somebody on a waiting list: written here first, then sent by a job."""

    __tablename__ = "waiting_list_mails"
    __table_args__ = (
        CheckConstraint("kind IN ('confirm', 'units')", name="kind"),
        Index("ix_waiting_list_mails_due_at_ms", "due_at_ms"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    entry_id: Mapped[int] = mapped_column(ForeignKey("waiting_list.id"), index=True)
    kind: Mapped[str] = mapped_column(String(8))  # please confirm, or: there are units again
    created_at_ms: Mapped[int] = mapped_column(BigInteger)
    due_at_ms: Mapped[int | None] = mapped_column(BigInteger)  # of the next try; NULL: sent, or given up
    tries: Mapped[int] = mapped_column(default=0)
    sent_at_ms: Mapped[int | None] = mapped_column(BigInteger)
