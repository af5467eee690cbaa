"""Sales of our web shop: found by web ID, which Tryton keeps unique in a shop, and what their states mean to us.

draft -> quotation -> confirmed -> processing -> done, each step a transaction of its own. The stock is promised
from `processing` on. A sale that is processed can no longer be cancelled as such: its shipment is, and it ends as
done with nothing sent; so what we take back bears our mark, by which it is told from what was sent.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from storefront.erp.adapter import Result
from storefront.erp.adapters.tryton.rpc import Visit
from storefront.erp.adapters.tryton.shop import WebShop
from storefront.erp.documents import CANCELLED, PLACED, key_of

BOOKED = ("processing", "done")
CHUNK = 500
LINES_MOST = 200
FIELDS = ["web_id", "number", "state", "shipment_state", "invoice_state", "comment", "_timestamp"]
T = TypeVar("T")
OURS = re.compile(r"order-(\d+)-\d+")


def order_of(key: str) -> int | None:
    """The order that a web ID or key is about; None where it is not one of ours."""
    found = OURS.fullmatch(key)
    return int(found[1]) if found else None


def web_id_of(key: str) -> str:
    """The web ID of the sale that a document is about: the key with which the order was placed."""
    order_id = order_of(key)
    return key if order_id is None else key_of(order_id, PLACED)


def mark_of(web_id: str) -> str:
    """What stands in the comment of a sale that we take back: the key of its cancellation."""
    order_id = order_of(web_id)
    return key_of(order_id, CANCELLED) if order_id is not None else ""


@dataclass(frozen=True)
class Sale:
    """A sale as it was read; `timestamp` lets Tryton refuse a change to one that somebody has changed since."""

    id: int
    web_id: str
    number: str
    state: str
    shipment_state: str
    invoice_state: str
    comment: str
    timestamp: str

    @property
    def booked(self) -> bool:
        return self.state in BOOKED

    @property
    def marked(self) -> bool:
        mark = mark_of(self.web_id)
        return bool(mark) and mark in self.comment

    @property
    def withdrawn(self) -> bool:
        """Whether it was taken back by us, to the end."""
        return self.marked and (self.state == "cancelled" or (self.booked and self.shipment_state == "none"))

    @property
    def deducted(self) -> bool:
        """Whether its units have left what Tryton would still promise."""
        return self.booked and self.shipment_state in ("waiting", "partially shipped", "sent")

    @property
    def sent(self) -> bool:
        return self.booked and self.shipment_state == "sent"

    def placed_result(self, success: str) -> Result | None:
        """What has become of the order: None where it has only begun to arrive."""
        if self.withdrawn:
            return self._result("duplicate")
        match self.state:
            case "confirmed":
                return self._result("accepted", "confirmed, not processed yet")
            case "processing" | "done":
                return self._result(success)
            case "cancelled":
                return self._result("rejected", "somebody has cancelled it in Tryton")
        return None

    def _result(self, outcome: Any, words: str = "") -> Result:
        return Result(self.web_id, outcome, words, self.number)


def find_sales(visit: Visit, shop: WebShop, web_ids: Iterable[str]) -> dict[str, Sale]:
    """Sales of the shop by web ID; those that Tryton does not have are absent."""
    found = {}
    for some in chunks(sorted(set(web_ids))):
        for sale in _search(visit, shop, [["web_id", "in", some]]):
            found[sale.web_id] = sale
    return found


def sent_since(visit: Visit, shop: WebShop, changed: Sequence[Any]) -> Iterator[Sale]:
    """Sales that have left the house, of those that fit the clauses of `changed`."""
    yield from _search(visit, shop, [["shipment_state", "=", "sent"], ["state", "in", BOOKED], *changed])


def _search(visit: Visit, shop: WebShop, domain: Sequence[Any]) -> Iterator[Sale]:
    yield from map(read_sale, visit.search("sale.sale", [["web_shop", "=", shop.id], *domain], FIELDS))


def read_sale(found: Mapping[str, Any]) -> Sale:
    """The sale that Tryton told of with FIELDS."""
    return Sale(
        id=found["id"],
        web_id=found["web_id"] or "",
        number=found["number"] or "",
        state=found["state"],
        shipment_state=found["shipment_state"],
        invoice_state=found["invoice_state"],
        comment=found["comment"] or "",
        timestamp=found["_timestamp"],
    )


def press(visit: Visit, button: str, sales: Sequence[Sale]) -> None:
    """Take sales one step on. Raises Changed where one of them is no longer as it was read, Refused, ErpError."""
    visit.do(f"model.sale.sale.{button}", [sale.id for sale in sales], context=unchanged(sales))


def unchanged(sales: Iterable[Sale]) -> Mapping[str, Any]:
    """The context that lets Tryton refuse to write over what somebody else has written."""
    return {"_timestamp": {f"sale.sale,{sale.id}": sale.timestamp for sale in sales}}


def chunks(names: Sequence[str]) -> Iterator[Sequence[str]]:
    """Names in lots that a query can hold."""
    for start in range(0, len(names), CHUNK):
        yield names[start : start + CHUNK]


def lots(sales: Iterable[T], lines: Callable[[T], int]) -> Iterator[list[T]]:
    """Sales in lots with not too many lines, so that one call is answered in a few seconds (13 ms a line on SQLite)."""
    lot: list[T] = []
    size = 0
    for sale in sales:
        if lot and size + lines(sale) > LINES_MOST:
            yield lot
            lot, size = [], 0
        lot.append(sale)
        size += lines(sale)
    if lot:
        yield lot
