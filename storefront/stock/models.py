"""The tables of the stock: levels, the ledger behind them, reservations and the fence."""

from sqlalchemy import BigInteger, CheckConstraint, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from storefront.core.db import BigId, db

MAIN_LOCATION = "main"


class StockLevel(db.Model):
    """What is physically there of a SKU, and how much of it is promised: the sum of its movements."""

    __tablename__ = "stock_levels"
    __table_args__ = (
        CheckConstraint("committed >= 0", name="committed"),
        CheckConstraint("unavailable >= 0", name="unavailable"),
        CheckConstraint("shortfall >= 0", name="shortfall"),
        CheckConstraint("committed <= on_hand - unavailable + shortfall", name="not_oversold"),
    )

    sku: Mapped[str] = mapped_column(String(64), primary_key=True)
    location: Mapped[str] = mapped_column(String(32), primary_key=True, default=MAIN_LOCATION)
    on_hand: Mapped[int] = mapped_column(default=0)
    committed: Mapped[int] = mapped_column(default=0)
    unavailable: Mapped[int] = mapped_column(default=0)
    shortfall: Mapped[int] = mapped_column(default=0)  # units committed that are not there; never hidden
    number: Mapped[int] = mapped_column(default=0)  # of the last movement that changed what is sellable
    limit_per_shopper: Mapped[int | None]
    built_epoch: Mapped[int | None]  # when it was first put into Redis; NULL: never
    sale: Mapped[str | None] = mapped_column(String(64))  # only who was admitted to this sale may reserve it


class StockMovement(db.Model):
    """An immutable row of the ledger: how one event changed on hand, committed and unavailable."""

    __tablename__ = "stock_movements"
    __table_args__ = (
        UniqueConstraint("sku", "number"),
        Index("ix_stock_movements_created_at_ms", "created_at_ms"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    sku: Mapped[str] = mapped_column(String(64))
    location: Mapped[str] = mapped_column(String(32), default=MAIN_LOCATION)
    kind: Mapped[str] = mapped_column(String(16))
    number: Mapped[int | None]  # NULL: a reservation had taken the units already, nothing to apply in Redis
    on_hand: Mapped[int] = mapped_column(default=0)
    committed: Mapped[int] = mapped_column(default=0)
    unavailable: Mapped[int] = mapped_column(default=0)
    reason: Mapped[str] = mapped_column(String(200))
    cause: Mapped[str] = mapped_column(String(100))  # what it belongs to, for example "order:17"
    shopper: Mapped[str] = mapped_column(String(64), default="")  # whose limit it counts for
    created_at_ms: Mapped[int] = mapped_column(BigInteger)

    @property
    def sellable(self) -> int:
        """Units by which it changes what can be sold."""
        return self.on_hand - self.committed - self.unavailable


class Reservation(db.Model):
    """A claim of one shopper on units of one SKU; written once, then only its state and deadline move."""

    __tablename__ = "reservations"
    __table_args__ = (
        CheckConstraint("state IN ('active', 'sold', 'released', 'expired')", name="state"),
        Index("ix_reservations_state_expires_at_ms", "state", "expires_at_ms"),
        Index("ix_reservations_shopper_state", "shopper", "state"),
        Index("ix_reservations_sku_state", "sku", "state"),
        Index("ix_reservations_ended_at_ms", "ended_at_ms"),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    shopper: Mapped[str] = mapped_column(String(64))
    sku: Mapped[str] = mapped_column(String(64))
    units: Mapped[int]
    state: Mapped[str] = mapped_column(String(8))
    created_at_ms: Mapped[int] = mapped_column(BigInteger)
    expires_at_ms: Mapped[int] = mapped_column(BigInteger)
    ended_at_ms: Mapped[int | None] = mapped_column(BigInteger)  # also when its units were lowered
    extensions: Mapped[int] = mapped_column(default=0)
    cause: Mapped[str | None] = mapped_column(String(100))  # what it was sold to


class StockFence(db.Model):
    """One row: the epoch of the numbers in Redis and the server process they were built on ("" while they are not)."""

    __tablename__ = "stock_fence"

    id: Mapped[int] = mapped_column(primary_key=True)
    epoch: Mapped[int] = mapped_column(default=0)
    run_id: Mapped[str] = mapped_column(String(64), default="")
