"""Random histories of shoppers and an ERP: orders on their way out, figures on their way in, in every order.

The ERP's books are true, and it sells through the shop alone. So nothing is oversold if at each moment its shelf
holds all that the shop has promised, whatever the shop knows of the ERP and the ERP of the shop.
"""

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from decimal import Decimal
from typing import Any, ClassVar
from uuid import uuid4

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from storefront.cart import basket
from storefront.cart.lines import lines_of, total
from storefront.core.errors import Refusal
from storefront.erp import delivery, inbound, link
from storefront.erp.adapter import Snapshot
from storefront.erp.exchange import Exchange
from storefront.orders import cancellation, checkout
from storefront.orders.checkout import Purchase, Till
from storefront.orders.forms import Details
from storefront.orders.models import Order, OrderLine
from storefront.orders.payment import OnInvoice
from storefront.stock.levels import accounts
from storefront.stock.models import StockLevel
from storefront.stock.rebuild import rebuild
from storefront.stock.stockroom import Stockroom
from storefront.stock.verify import verify
from tests.erp.history.house import Look, Stock, TrueHouse, Watermark

STEPS = 40
SKUS = ("MUG", "CAP")
EMPTIED = (
    "erp_documents", "erp_buffer", "erp_batches", "erp_snapshots", "erp_links", "order_lines", "orders",
    "idempotency_keys", "reservations", "stock_movements",
)  # fmt: skip
TILL = Till(OnInvoice(), "EUR", 0)
DETAILS = Details("ann@example.org", "Ann", "Hill Street 1", "", "Ulm", "89073", "", "DE")

shoppers = st.sampled_from(("ann", "ben", "cem"))
skus = st.sampled_from(SKUS)
few = st.integers(1, 3)
any_number = st.integers(0, 1000)


class SnapshotHistory(RuleBasedStateMachine):
    """One shop, one ERP; `met` counts what happened in all histories."""

    room: ClassVar[Stockroom]
    stock: ClassVar[Stock]
    watermark: ClassVar[Watermark]
    met: ClassVar[Counter[str]]

    def __init__(self) -> None:
        super().__init__()
        _start_over(self.room)
        self.erp = TrueHouse(self.stock, self.watermark, self.room.now_ms, shelf=dict.fromkeys(SKUS, 5))
        self.exchange = Exchange(self.room, self.erp, lease_ms=60_000, batch_seconds=0)
        self.looks: list[Look] = []
        self.letters: list[Snapshot] = []
        self._take_in(self.erp.count(self.erp.look()))

    # -- shoppers

    @rule(shopper=shoppers, sku=skus, units=few)
    def hold(self, shopper: str, sku: str, units: int) -> None:
        with suppress(Refusal):
            basket.add(self.room, shopper, basket.Wish(sku, units))

    @rule(shopper=shoppers)
    def let_go(self, shopper: str) -> None:
        for line in lines_of(self.room, shopper):
            basket.remove(self.room, shopper, line.sku)

    @rule(shopper=shoppers, sku=skus, units=few, is_sent=st.booleans())
    def buy(self, shopper: str, sku: str, units: int, is_sent: bool) -> None:
        self.hold(shopper, sku, units)
        amount = total([line for line in lines_of(self.room, shopper) if line.state == "held"])
        with suppress(Refusal):
            checkout.place(self.room, TILL, Purchase(shopper, DETAILS, Decimal(amount), uuid4().hex, ""))
            self.met["ordered"] += 1
        if is_sent:
            self.deliver("", at_once=True)

    @rule(number=any_number)
    def cancel(self, number: int) -> None:
        tokens = self._tokens("placed", "shipped")
        if tokens:
            with suppress(cancellation.AlreadyShipped):
                cancellation.cancel(self.room, tokens[number % len(tokens)])
                self.met["cancelled"] += 1

    # -- what goes out

    @rule(trouble=st.sampled_from(("", "", "", "away", "lost")), at_once=st.booleans())
    def deliver(self, trouble: str, at_once: bool) -> None:
        self.erp.trouble, self.erp.at_once = trouble, at_once
        delivery.deliver(self.exchange, now=True)
        self.erp.trouble = ""

    # -- the ERP

    @rule()
    def work(self) -> None:
        self.erp.work()

    @rule(sku=skus, units=few)
    def receive(self, sku: str, units: int) -> None:
        self.erp.shelf[sku] += units

    @rule(number=any_number)
    def ship(self, number: int) -> None:
        ready = sorted(set(self.erp.orders) - self.erp.shipped)
        if ready:
            self.erp.ship(ready[number % len(ready)])
            self.met["shipped"] += 1

    # -- what comes in

    @rule()
    def look(self) -> None:
        self.looks.append(self.erp.look())

    @rule()
    def count(self) -> None:
        self.letters.append(self.erp.count(self.looks.pop(0) if self.looks else self.erp.look()))

    @precondition(lambda self: self.letters)
    @rule(number=any_number, is_newest=st.booleans(), keep=st.booleans())
    def receive_letter(self, number: int, is_newest: bool, keep: bool) -> None:
        letter = self.letters[-1 if is_newest else number % len(self.letters)]
        if not keep:
            self.letters.remove(letter)
        before = inbound.newest(self.room, self.erp.name)
        changed = self._take_in(letter)
        assert not (changed and before >= letter.sequence)
        self.met["late or repeated" if before >= letter.sequence else "taken in"] += 1

    def _take_in(self, letter: Snapshot) -> Sequence[str]:
        with link.leased(self.room, self.erp.name, 60_000) as lease:
            assert lease
            changed = inbound.take_in(self.exchange, lease, letter).changed
        assert verify(self.room, 0) == []
        return changed

    # -- what must hold

    @invariant()
    def no_more_is_offered_than_is_free(self) -> None:
        offered, spoken_for = self.offered(), self._spoken_for()
        for sku, units in self.erp.shelf.items():
            free = units - spoken_for[sku]
            assert offered[sku] <= free, f"{offered[sku]} of {sku} are offered, {free} are free"

    def teardown(self) -> None:
        """Once all is said, what can be sold is what the ERP would promise, less what is held."""
        self.erp.at_once = True
        self.erp.work()
        for _ in range(4):
            delivery.deliver(self.exchange, now=True)
            self._hurry()
        self.erp.now_ms = lambda: self.room.now_ms() + 10_000
        self._take_in(self.erp.count(self.erp.look()))
        for one in accounts(self.room, SKUS):
            free = self.erp.shelf[one.sku] - self.erp.promised(one.sku)
            assert one.available == max(0, free - one.reserved), one
            if one.available:  # below 0 none are shown
                assert one.on_hand == one.available + one.reserved + one.committed + one.unavailable

    def _hurry(self) -> None:
        """Let what is put off be due."""
        with self.room.engine.begin() as connection:
            connection.execute(text("UPDATE erp_buffer SET due_at_ms = 0"))

    def _tokens(self, *states: str) -> list[str]:
        with Session(self.room.engine) as session:
            return list(session.scalars(select(Order.token).where(Order.status.in_(states)).order_by(Order.id)))

    def offered(self) -> dict[str, int]:
        """Units that can be sold, those in carts among them."""
        with Session(self.room.engine) as session:
            rows = session.execute(
                select(StockLevel.sku, StockLevel.on_hand - StockLevel.unavailable - StockLevel.committed)
            )
            return {sku: units for sku, units in rows}

    def _spoken_for(self) -> Counter[str]:
        """Units on the ERP's shelf that the shop has sold, or that the ERP may ship, not knowing of a cancellation."""
        with Session(self.room.engine) as session:
            live = set(session.scalars(select(Order.id).where(Order.status != "cancelled")))
            lines = session.execute(select(OrderLine.order_id, OrderLine.sku, OrderLine.quantity)).all()
        units: Counter[str] = Counter()
        for order_id, sku, quantity in lines:
            if order_id in live | self.erp.known() and order_id not in self.erp.shipped:
                units[sku] += quantity
        return units


def _start_over(room: Stockroom) -> None:
    room.unfenced.flushall()
    with room.engine.begin() as connection:
        for table in EMPTIED:
            connection.execute(text(f"DELETE FROM {table}"))
        connection.execute(text("UPDATE stock_levels SET on_hand = 5, committed = 0, shortfall = 0, number = 1"))
        connection.execute(
            text(
                "INSERT INTO stock_movements (sku, location, kind, number, on_hand, committed, unavailable, reason,"
                " cause, shopper, created_at_ms) SELECT sku, 'main', 'received', 1, 5, 0, 0, '', '', '', 0"
                " FROM stock_levels"
            )
        )
    rebuild(room)


def begin(room: Stockroom, stock: Stock, watermark: Watermark) -> SnapshotHistory:
    """A history of which a test takes the steps itself."""
    return _kind(room, stock, watermark)()


def _kind(room: Stockroom, stock: Stock, watermark: Watermark) -> type[SnapshotHistory]:
    members: dict[str, Any] = {"room": room, "stock": stock, "watermark": watermark, "met": Counter()}
    return type("History", (SnapshotHistory,), members)


def play(
    room: Stockroom, stock: Stock, watermark: Watermark, histories: int, phases: Sequence[Phase] = tuple(Phase)
) -> Counter[str]:
    """Play so many histories; return what happened in them. Raises AssertionError with a counter-example."""
    history = _kind(room, stock, watermark)
    run_state_machine_as_test(
        history,
        settings=settings(
            max_examples=histories,
            stateful_step_count=STEPS,
            phases=phases,
            deadline=None,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        ),
    )
    return history.met
