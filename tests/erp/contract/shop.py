"""A shop whose orders go to an ERP, as the contract suite drives it."""

from collections import Counter
from collections.abc import Sequence
from itertools import count
from typing import Any

from flask import Flask
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from storefront.core.tools import take
from storefront.erp import delivery
from storefront.erp.adapter import BookedLine
from storefront.erp.exchange import Exchange
from storefront.erp.models import BufferRow
from storefront.orders.models import Order, OrderLine
from storefront.stock.stockroom import Stockroom
from tests.cart.shelf import Visitor, visitor
from tests.erp.contract.house import House
from tests.erp.contract.morning import Invoice

ROUNDS = 100
NUMBERS = count(1)  # of the tests in this process: an ERP may be the same for several


class Shop:
    """A shop whose orders go to an ERP, with ids that no other test has. Both know `skus`."""

    def __init__(self, app: Flask, house: House, skus: Sequence[str]):
        self.app, self.house, self.skus = app, house, skus
        self.room: Stockroom = take("stockroom")
        self.first_id = next(NUMBERS) * 100_000
        self._count_ids_from(self.first_id)

    def _count_ids_from(self, first: int) -> None:
        """By an order that was cancelled long ago; nothing is known of it in the buffer."""
        with self.room.engine.begin() as connection:
            connection.execute(
                text(
                    "INSERT INTO orders (id, token, shopper, status, email, name, line1, line2, city, postal_code,"
                    " region, country, payment, total, currency, created_at_ms) VALUES"
                    " (:id, 'first', '', 'cancelled', '', '', '', '', '', '', '', 'DE', '', 0, 'EUR', 0)"
                ),
                {"id": first},
            )
            if connection.dialect.name == "postgresql":
                connection.execute(text("SELECT setval(pg_get_serial_sequence('orders', 'id'), :id)"), {"id": first})

    def exchange(self, adapter: Any = None, **changed: Any) -> Exchange:
        return Exchange(self.room, adapter or self.house.adapter, **{"batch_size": 10, "batch_seconds": 0, **changed})

    def order(self, number: int) -> list[dict[str, Any]]:
        """Let so many people order one, two or three units each."""
        return [self._order_one(index) for index in range(number)]

    def _order_one(self, index: int) -> dict[str, Any]:
        somebody, units = visitor(self.app), index % 3 + 1
        sku = self.skus[index % 2]
        assert somebody.add(sku, units).status_code == 201
        answer = somebody.order(f"{units * 35 / 100:.2f}", email=f"shopper{index % 4}@example.org")
        assert answer.status_code == 201, answer.get_json()
        return {**answer.get_json(), "sku": sku, "units": units}

    def place(self, invoice: Invoice) -> dict[str, Any]:
        """Order what stands on an invoice, at its prices."""
        with self.room.engine.begin() as connection:
            for sku, price in invoice.prices.items():
                connection.execute(
                    text("UPDATE variants SET price = :price WHERE sku = :sku"), {"price": str(price), "sku": sku}
                )
        somebody = visitor(self.app)
        for sku, units in invoice.units.items():
            assert somebody.add(sku, units).status_code == 201
        answer = somebody.order(f"{invoice.total:.2f}", email=f"{invoice.number}@example.org")
        assert answer.status_code == 201, answer.get_json()
        return answer.get_json()

    def cancel(self, order: dict[str, Any]) -> None:
        assert Visitor(self.app, self.app.response_class).post(
            f"/api/v1/orders/{order['token']}/cancel", headers={"Origin": "http://localhost"}
        ).status_code == 200  # fmt: skip

    def deliver_all(self, exchange: Exchange) -> None:
        """Deliver, and let the ERP work, until all is said."""
        for _ in range(ROUNDS):
            delivery.deliver(exchange, now=True)
            self.house.work()
            if not self.unfinished():
                return
        raise AssertionError(f"still under way: {self.unfinished()}")

    def unfinished(self) -> Counter[str]:
        return Counter({state: number for state, number in self.states().items() if state not in ("applied", "dead")})

    def states(self) -> Counter[str]:
        with Session(self.room.engine) as session:
            return Counter(session.scalars(select(BufferRow.state)))

    def sold(self) -> Counter[tuple[Any, ...]]:
        """The lines of the orders that were not cancelled."""
        columns = (OrderLine.order_id, OrderLine.line, OrderLine.sku, OrderLine.quantity, OrderLine.price)
        lines = select(*columns, OrderLine.currency).join(Order, Order.id == OrderLine.order_id)
        with Session(self.room.engine) as session:
            return Counter(tuple(row) for row in session.execute(lines.where(Order.status != "cancelled")))

    def booked(self) -> Counter[tuple[Any, ...]]:
        """The lines that the ERP has on its books of this shop's orders."""
        return Counter(_facts(line) for line in self.house.booked() if self._is_ours(line))

    def _is_ours(self, line: BookedLine) -> bool:
        return self.first_id < line.order_id < self.first_id + 100_000


def _facts(line: BookedLine) -> tuple[Any, ...]:
    return (line.order_id, line.line, line.sku, line.quantity, line.unit_price, line.currency)
