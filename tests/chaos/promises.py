"""What the shop has acknowledged, as its customers remember it."""

import threading
from dataclasses import dataclass, field, replace

from sqlalchemy import Row

from storefront.stock.reservations import reservation_id_for


@dataclass
class HoldPromise:
    """A reservation the shop said yes to."""

    click: str
    shopper: str
    sku: str
    units: int  # fewer once the shopper has asked to lower them
    deadline_ms: int
    may_end: bool = False  # the shopper has asked to end it

    @property
    def id(self) -> str:
        return self.id_after(0)

    def id_after(self, withdrawn: int) -> str:
        """The id of the reservation where so many of the click were withdrawn before the shop said yes."""
        return reservation_id_for(self.shopper, self.sku, self.click, withdrawn)


@dataclass
class OrderPromise:
    """An order the shop said yes to."""

    token: str
    id: int
    shopper: str
    key: str
    total: str
    cancelled: str = ""  # "asked" or "acknowledged"


@dataclass
class Promises:
    """Everything acknowledged so far. What has come to its end is looked at once more when all is over."""

    holds: dict[str, HoldPromise] = field(default_factory=dict)
    orders: dict[str, OrderPromise] = field(default_factory=dict)
    ended: dict[str, HoldPromise] = field(default_factory=dict)
    seen: dict[str, OrderPromise] = field(default_factory=dict)
    received: dict[str, str] = field(default_factory=dict)  # reason -> SKU of movements acknowledged to the operator
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add_hold(self, promise: HoldPromise) -> None:
        with self.lock:
            known = self.holds.get(promise.id)
            if known is None:
                self.holds[promise.id] = promise
            else:
                known.deadline_ms = max(known.deadline_ms, promise.deadline_ms)

    def add_order(self, promise: OrderPromise) -> None:
        with self.lock:
            self.orders.setdefault(promise.token, promise)

    def open(self) -> tuple[dict[str, HoldPromise], dict[str, OrderPromise]]:
        """Copies of the promises that can still be broken in a new way."""
        with self.lock:
            return {k: replace(v) for k, v in self.holds.items()}, {k: replace(v) for k, v in self.orders.items()}

    def every(self) -> tuple[dict[str, HoldPromise], dict[str, OrderPromise]]:
        with self.lock:
            return {**self.ended, **self.holds}, {**self.seen, **self.orders}

    def settle(self, rows: dict[str, Row], orders: dict[str, Row]) -> None:
        """Put aside the promises whose end has been seen: it is final in SQL."""
        with self.lock:
            for one in [one for one, row in rows.items() if row.state != "active" and one in self.holds]:
                self.ended[one] = self.holds.pop(one)
            for token in [token for token, row in orders.items() if row.status == "cancelled"]:
                if token in self.orders and self.orders[token].cancelled == "acknowledged":
                    self.seen[token] = self.orders.pop(token)

    def count(self) -> tuple[int, int]:
        """How many reservations and orders were acknowledged."""
        with self.lock:
            return len(self.holds) + len(self.ended), len(self.orders) + len(self.seen)
