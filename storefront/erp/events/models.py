"""What listeners were last told of each SKU."""

from sqlalchemy import BigInteger, CheckConstraint, String
from sqlalchemy.orm import Mapped, mapped_column

from storefront.core.db import db


class ToldStock(db.Model):
    """The word that listeners know for a SKU's stock, and since when; the first one is noted and not told."""

    __tablename__ = "told_stock"
    __table_args__ = (CheckConstraint("word IN ('in_stock', 'low', 'sold_out')", name="word"),)

    sku: Mapped[str] = mapped_column(String(64), primary_key=True)
    word: Mapped[str] = mapped_column(String(16))
    told_at_ms: Mapped[int] = mapped_column(BigInteger)
