"""Reconciliation: what the shop has sold against what the ERP has on its books, line by line.

The key is the order and the line in it. What has been placed or shipped counts; what was cancelled counts for
nothing, and what the ERP still has of it is on the way for as long as its cancellation is. See docs/operations.md.
"""

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal, NamedTuple, TypeVar

from sqlalchemy import ColumnElement, Select, and_, not_, select, true
from sqlalchemy.orm import Session, aliased

from storefront.erp.adapter import BookedLine
from storefront.erp.exchange import Exchange
from storefront.erp.models import BufferRow
from storefront.orders.models import Order, OrderLine, number_of
from storefront.stock.stockroom import Stockroom

Kind = Literal["missing", "extra", "different", "stuck", "on_the_way"]

KINDS: tuple[Kind, ...] = ("missing", "extra", "different", "stuck")
COMPARED = ("sku", "quantity", "unit_price", "currency")
PATIENCE_MS = 300_000  # what is not with the ERP by then is stuck
ROWS_AT_ONCE = 1000

Row = TypeVar("Row")


class Sold(NamedTuple):
    """A line of an order in the shop.

    day: of the order, in UTC. counts: it was placed or shipped, and not cancelled. settled: the ERP has said that it
    has booked this, or its cancellation, or never was to hear of either. stuck: why that takes too long, if it does.
    """

    order_id: int
    line: int
    sku: str
    quantity: int
    unit_price: Decimal
    currency: str
    day: str
    counts: bool = True
    settled: bool = True
    stuck: str = ""


@dataclass(frozen=True)
class Difference:
    """A line that is not the same on both sides; `shop` or `erp` is None where that side has nothing of it."""

    kind: Kind
    order_id: int
    line: int
    day: str  # empty: the shop knows no such order
    shop: Sold | None
    erp: BookedLine | None
    why: str = ""

    @property
    def number(self) -> str:
        """What the shopper knows the order by."""
        return number_of(self.order_id)

    @property
    def fields(self) -> list[str]:
        """What is different of a line that both have."""
        if self.shop is None or self.erp is None:
            return []
        return [name for name in COMPARED if getattr(self.shop, name) != getattr(self.erp, name)]


@dataclass
class Tally:
    """Lines, their units, and what they come to in one currency."""

    lines: int = 0
    units: int = 0
    money: Decimal = Decimal(0)

    def add(self, one: Sold | BookedLine) -> None:
        self.lines += 1
        self.units += one.quantity
        self.money += one.quantity * one.unit_price

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(self.lines + other.lines, self.units + other.units, self.money + other.money)

    def __sub__(self, other: "Tally") -> "Tally":
        return Tally(self.lines - other.lines, self.units - other.units, self.money - other.money)


@dataclass
class Pair:
    """Both sides of the same."""

    shop: Tally = field(default_factory=Tally)
    erp: Tally = field(default_factory=Tally)

    def __add__(self, other: "Pair") -> "Pair":
        return Pair(self.shop + other.shop, self.erp + other.erp)

    @property
    def difference(self) -> Tally:
        return self.shop - self.erp


Cell = tuple[str, str, str]  # day, SKU, currency


@dataclass
class Report:
    """`found` explains every difference between the two sides of `cells`."""

    cells: dict[Cell, Pair] = field(default_factory=dict)
    found: list[Difference] = field(default_factory=list)

    @property
    def differences(self) -> list[Difference]:
        """Those that somebody has to look at."""
        return [one for one in self.found if one.kind != "on_the_way"]

    @property
    def counts(self) -> Counter[str]:
        """How many differences there are, by kind; what is on the way among them."""
        return Counter(one.kind for one in self.found)

    def totals(self) -> dict[str, Pair]:
        """Both sides, by currency."""
        return self._sums(lambda cell: cell[2])

    def days(self) -> dict[str, Pair]:
        """Both sides, by day; their money is of use in a shop with one currency only."""
        return self._sums(lambda cell: cell[0])

    def _sums(self, name_of: Any) -> dict[str, Pair]:
        sums: dict[str, Pair] = {}
        for cell in sorted(self.cells):
            sums[name_of(cell)] = sums.get(name_of(cell), Pair()) + self.cells[cell]
        return sums

    def pair(self, day: str, one: Sold | BookedLine) -> Pair:
        return self.cells.setdefault((day, one.sku, one.currency), Pair())


def compare(sold: Iterable[Sold], booked: Iterable[BookedLine]) -> Report:
    """The two sides, and where they differ."""
    report = Report()
    ours = {(one.order_id, one.line): one for one in sold}
    days = {one.order_id: one.day for one in ours.values()}
    for one in ours.values():
        if one.counts:
            report.pair(one.day, one).shop.add(one)
    seen = set()
    for theirs in booked:
        key, day = (theirs.order_id, theirs.line), days.get(theirs.order_id, "")
        report.pair(day, theirs).erp.add(theirs)
        found = _extra(theirs, ours, days) if key in seen or key not in ours else _judge(ours[key], theirs)
        seen.add(key)
        report.found += [found] if found else []
    report.found += [_absent(one) for key, one in ours.items() if one.counts and key not in seen]
    report.found.sort(key=lambda one: (one.order_id, one.line))
    return report


def _extra(theirs: BookedLine, ours: dict[tuple[int, int], Sold], days: dict[int, str]) -> Difference:
    if (theirs.order_id, theirs.line) in ours:
        why = "booked more than once"
    elif theirs.order_id in days:
        why = "the order has no such line"
    else:
        why = "the shop has no such order"
    day = days.get(theirs.order_id, "")
    return Difference("extra", theirs.order_id, theirs.line, day, None, theirs, why)


def _judge(ours: Sold, theirs: BookedLine) -> Difference | None:
    """A line that the ERP has, and the shop has or had."""
    if ours.counts:
        found = Difference("different", ours.order_id, ours.line, ours.day, ours, theirs)
        return found if found.fields else None
    kind, why = _standing(ours, "extra", "cancelled: it should be on the books no longer")
    return Difference(kind, ours.order_id, ours.line, ours.day, None, theirs, why)


def _absent(ours: Sold) -> Difference:
    """A line that counts and that the ERP does not have."""
    kind, why = _standing(ours, "missing", "the ERP has said that it had booked it")
    return Difference(kind, ours.order_id, ours.line, ours.day, ours, None, why)


def _standing(ours: Sold, settled: Kind, why: str) -> tuple[Kind, str]:
    if ours.settled:
        return settled, why
    return ("stuck", ours.stuck) if ours.stuck else ("on_the_way", "")


def reconcile(exchange: Exchange, first: date | None = None, last: date | None = None) -> Report:
    """Compare the orders of the days from `first` to `last` (UTC, both in) with the ERP's books. Raises ErpError.

    Lines of orders that the shop does not know have no day, and are told of whatever the days.
    """
    chosen = _within(first, last)
    with Session(exchange.room.engine) as session:
        sold = list(_sold(session, chosen, exchange.room.now_ms()))
        others = set(session.scalars(select(Order.id).where(not_(chosen)))) if first or last else set()
    booked = (one for one in _gently(exchange.adapter.booked()) if one.order_id not in others)
    report = compare(sold, booked)
    return _look_again(exchange.room, report, sold)


def _within(first: date | None, last: date | None) -> ColumnElement[bool]:
    after = Order.created_at_ms >= _ms(first) if first else true()
    before = Order.created_at_ms < _ms(last + timedelta(days=1)) if last else true()
    return and_(after, before)


def _ms(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000)


def _sold(session: Session, chosen: ColumnElement[bool], now_ms: int) -> Iterator[Sold]:
    rows = session.execute(_lines().where(chosen), execution_options={"yield_per": ROWS_AT_ONCE})
    for row in _gently(rows):
        counts = row.status != "cancelled"
        state, since_ms, words = row[8:11] if counts else row[11:14]
        day = datetime.fromtimestamp(row.created_at_ms / 1000, UTC).date().isoformat()
        yield Sold(
            row.order_id, row.line, row.sku, row.quantity, row.price, row.currency, day,
            counts, settled=state in ("applied", "withdrawn"), stuck=_stuck(state, since_ms, words, now_ms),
        )  # fmt: skip


def _lines() -> Select[*tuple[Any, ...]]:
    placed, cancelled = aliased(BufferRow), aliased(BufferRow)
    line = OrderLine
    return (
        select(
            line.order_id, line.line, line.sku, line.quantity, line.price, line.currency,
            Order.status, Order.created_at_ms,
            placed.state, placed.created_at_ms, placed.words,
            cancelled.state, cancelled.created_at_ms, cancelled.words,
        )
        .join(Order, Order.id == line.order_id)
        .outerjoin(placed, and_(placed.order_id == Order.id, placed.version == 1))
        .outerjoin(cancelled, and_(cancelled.order_id == Order.id, cancelled.version == 2))
        .order_by(line.order_id, line.line)
    )  # fmt: skip


def _stuck(state: str | None, since_ms: int | None, words: str | None, now_ms: int) -> str:
    """Why a row of the buffer is not applied though it should be by now; empty where it still may."""
    if state is None or since_ms is None:
        return "it was never put into the buffer"
    if state == "dead":
        return f"refused by the ERP: {words}"
    if state in ("applied", "withdrawn") or now_ms - since_ms < PATIENCE_MS:
        return ""
    minutes = (now_ms - since_ms) // 60_000
    return f"{state} for {minutes} minutes" + (f": {words}" if words else "")


def _look_again(room: Stockroom, report: Report, sold: Sequence[Sold]) -> Report:
    """Leave out what was placed, cancelled or booked while we looked: the two sides were not read at one moment."""
    ids = sorted({one.order_id for one in report.differences})
    before = {one.order_id: (one.counts, one.settled) for one in sold}
    now: dict[int, tuple[bool, bool]] = {}
    with Session(room.engine) as session:
        for start in range(0, len(ids), ROWS_AT_ONCE):
            some = Order.id.in_(ids[start : start + ROWS_AT_ONCE])
            now |= {one.order_id: (one.counts, one.settled) for one in _sold(session, some, room.now_ms())}
    report.found = [
        one if before.get(one.order_id) == now.get(one.order_id) else replace(one, kind="on_the_way", why="")
        for one in report.found
    ]
    return report


def _gently(rows: Iterable[Row]) -> Iterator[Row]:
    """The same rows, letting others work in between: the web process that shows a report serves shoppers, too."""
    for number, row in enumerate(rows, 1):
        yield row
        if number % ROWS_AT_ONCE == 0:
            time.sleep(0)
