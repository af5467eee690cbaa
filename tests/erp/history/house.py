"""A small ERP that keeps true books: what is on its shelf, what it has promised, and what has left."""

import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from storefront.erp.adapter import (
    Ack,
    AppliedSet,
    Batch,
    BatchHead,
    BookedLine,
    Capabilities,
    ErpAmbiguous,
    ErpUnavailable,
    Result,
    Snapshot,
    UpToBatch,
    UpToTime,
    Wanted,
)
from storefront.erp.documents import CANCELLED, PLACED, Document, key_of

Stock = Literal["promisable", "physical"]
Watermark = Literal["applied_set", "batch_sequence", "timestamp"]


@dataclass
class Look:
    """Half a snapshot: what the figures to come will have deducted, at least."""

    watermark: AppliedSet | UpToBatch | UpToTime
    shipped: frozenset[str]


@dataclass
class TrueHouse:
    """An ERP in memory. It books what it was handed when `work` is called, or at once where `at_once` is set."""

    stock: Stock
    watermark: Watermark
    now_ms: Callable[[], int]
    name: str = "house"
    at_once: bool = True
    trouble: str = ""  # of the next call: away, lost (it works, and its answer is lost)
    shelf: dict[str, int] = field(default_factory=dict)
    inbox: list[tuple[int, Document]] = field(default_factory=list)  # with the sequence of the batch
    orders: dict[int, Document] = field(default_factory=dict)  # booked, and not cancelled
    booked_ever: dict[str, int] = field(default_factory=dict)  # key -> how often
    shipped: set[int] = field(default_factory=set)
    worked_off: int = 0  # sequence of the last batch
    numbered: int = 0

    @property
    def capabilities(self) -> Capabilities:
        asynchronous = self.watermark == "batch_sequence"
        return Capabilities(3, not asynchronous, self.stock, self.watermark, asynchronous, asynchronous)

    # -- what it does by itself

    def work(self) -> None:
        """Book what lies in the inbox."""
        inbox, self.inbox = self.inbox, []
        for sequence, document in inbox:
            self._book(document)
            self.worked_off = max(self.worked_off, sequence)

    def _book(self, document: Document) -> None:
        if document.key in self.booked_ever:
            return
        self.booked_ever[document.key] = 1
        if document.kind == PLACED:
            self.orders[document.order_id] = document
        elif document.order_id not in self.shipped:
            self.orders.pop(document.order_id, None)

    def ship(self, order_id: int) -> None:
        for line in self.orders[order_id].lines:
            self.shelf[line.sku] -= line.quantity
        self.shipped.add(order_id)

    def known(self) -> set[int]:
        """The orders that it has, or will have once it opens its letters."""
        return set(self.orders) | {document.order_id for _, document in self.inbox if document.kind == PLACED}

    def promised(self, sku: str) -> int:
        """Units of booked orders that have not left."""
        open_orders = (one for one in self.orders.values() if one.order_id not in self.shipped)
        return sum(line.quantity for one in open_orders for line in one.lines if line.sku == sku)

    # -- snapshots, in two steps, between which anything may happen

    def look(self) -> Look:
        shipped = frozenset(key_of(one, PLACED) for one in self.shipped)
        if self.watermark == "batch_sequence":
            return Look(UpToBatch(self.worked_off), shipped)
        if self.watermark == "timestamp":
            return Look(UpToTime(self.now_ms(), margin_ms=1), shipped)
        booked = frozenset(key for key in self.booked_ever if key.endswith("-1"))
        return Look(AppliedSet(shipped if self.stock == "physical" else booked), shipped)

    def count(self, look: Look) -> Snapshot:
        self.numbered += 1
        figures = {
            sku: units - (self.promised(sku) if self.stock == "promisable" else 0) for sku, units in self.shelf.items()
        }
        content_hash = hashlib.sha256(repr(sorted(figures.items())).encode()).hexdigest()
        return Snapshot(
            f"count {self.numbered}", self.numbered, content_hash, self.now_ms(), self.stock, look.watermark, figures,
            shipped=look.shipped,
        )  # fmt: skip

    # -- the interface

    def health(self) -> str:
        self._meet_trouble()
        return "well"

    def submit(self, batch: Batch) -> Sequence[Result]:
        lost = self._meet_trouble()
        waiting = {document.key for _, document in self.inbox}
        for document in batch.documents:
            if document.key not in waiting:
                self.inbox.append((batch.sequence, document))
        if self.at_once:
            self.work()
        if lost:
            raise ErpAmbiguous("the answer is lost")
        return [self._result(document) for document in batch.documents]

    cancel = submit

    def _meet_trouble(self) -> bool:
        trouble, self.trouble = self.trouble, ""
        if trouble == "away":
            raise ErpUnavailable("nobody is there")
        return trouble == "lost"

    def _result(self, document: Document) -> Result:
        if document.key not in self.booked_ever or self.capabilities.asynchronous_acks:
            return Result(document.key, "accepted")
        if document.kind == CANCELLED and document.order_id in self.shipped:
            return Result(document.key, "rejected", "it has left the house")
        return Result(document.key, "applied")

    def lookup(self, keys: Sequence[str]) -> Mapping[str, Result]:
        self._meet_trouble()
        waiting = {document.key for _, document in self.inbox}
        found = {key: Result(key, "applied") for key in keys if key in self.booked_ever}
        return found | {key: Result(key, "accepted") for key in keys if key in waiting}

    def poll_acks(self, waiting: Sequence[BatchHead]) -> Sequence[Ack]:
        self._meet_trouble()
        return [
            Ack(one.sequence, [Result(key, "applied") for key in self.booked_ever])
            for one in waiting
            if one.sequence <= self.worked_off
        ]

    def snapshot(self, wanted: Wanted) -> Snapshot | None:
        return self.count(self.look())

    def changed_skus(self, since_ms: int) -> Collection[str] | None:
        return None

    def booked(self) -> Iterator[BookedLine]:
        for one in self.orders.values():
            for line in one.lines:
                yield BookedLine(one.order_id, line.line, line.sku, line.quantity, line.unit_price, one.currency)
