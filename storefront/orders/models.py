"""The tables of the orders. Prices, tax and titles are copied: an order never changes with the catalogue."""

from decimal import Decimal

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Numeric, String, false, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from storefront.core.db import BigId, db

FIRST_NUMBER = 1000


def number_of(order_id: int) -> str:
    """What the shopper knows an order by."""
    return str(FIRST_NUMBER + order_id)


class Order(db.Model):
    """A sale to a guest; whoever knows the token may see and cancel it."""

    __tablename__ = "orders"
    __table_args__ = (CheckConstraint("status IN ('placed', 'cancelled', 'shipped')", name="status"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    token: Mapped[str] = mapped_column(String(32), unique=True)
    shopper: Mapped[str] = mapped_column(String(64), index=True)
    status: Mapped[str] = mapped_column(String(16), default="placed")
    email: Mapped[str] = mapped_column(String(254))
    name: Mapped[str] = mapped_column(String(200))
    line1: Mapped[str] = mapped_column(String(200))
    line2: Mapped[str] = mapped_column(String(200), default="")
    city: Mapped[str] = mapped_column(String(100))
    postal_code: Mapped[str] = mapped_column(String(20))
    region: Mapped[str] = mapped_column(String(100), default="")
    country: Mapped[str] = mapped_column(String(2))
    payment: Mapped[str] = mapped_column(String(100))
    total: Mapped[Decimal] = mapped_column(Numeric(12, 2))
    currency: Mapped[str] = mapped_column(String(3))
    created_at_ms: Mapped[int] = mapped_column(BigInteger)
    lines: Mapped[list["OrderLine"]] = relationship(order_by="OrderLine.line", lazy="selectin")

    @property
    def number(self) -> str:
        return number_of(self.id)

    @property
    def cause(self) -> str:
        """How the stock names it in its ledger."""
        return f"order:{self.id}"


class OrderLine(db.Model):
    """Units of one SKU in an order, at the price of that moment."""

    __tablename__ = "order_lines"
    __table_args__ = (
        CheckConstraint("quantity > 0", name="quantity"),
        Index(
            "ix_order_lines_undeducted", "sku", postgresql_where=text("NOT deducted"), sqlite_where=text("NOT deducted")
        ),
    )

    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"), primary_key=True)
    line: Mapped[int] = mapped_column(primary_key=True)
    sku: Mapped[str] = mapped_column(String(64), index=True)
    title: Mapped[str] = mapped_column(String(300))
    variant_title: Mapped[str] = mapped_column(String(300), default="")
    quantity: Mapped[int]
    price: Mapped[Decimal] = mapped_column(Numeric(12, 2))
    tax: Mapped[Decimal] = mapped_column(Numeric(12, 2))  # contained in price x quantity
    currency: Mapped[str] = mapped_column(String(3))
    # Whether the ERP's figure for this SKU accounts for these units, so that none are to be taken off it: decision 13.
    deducted: Mapped[bool] = mapped_column(default=False, server_default=false())

    @property
    def line_total(self) -> Decimal:
        return self.price * self.quantity
