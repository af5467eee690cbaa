"""The table of the ERP buffer (a transactional outbox)."""

from sqlalchemy import BigInteger, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from storefront.core.db import BigId, db


class BufferRow(db.Model):
    """One thing to tell the ERP: that an order was placed (version 1) or cancelled (version 2)."""

    __tablename__ = "erp_buffer"
    __table_args__ = (UniqueConstraint("order_id", "version"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"))
    version: Mapped[int]
    kind: Mapped[str] = mapped_column(String(16))  # placed or cancelled
    state: Mapped[str] = mapped_column(String(16), default="waiting", index=True)
    created_at_ms: Mapped[int] = mapped_column(BigInteger)
