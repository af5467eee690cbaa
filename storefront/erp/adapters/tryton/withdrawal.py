"""Taking orders back: again a walk, in which each step is asked for by what is found.

What is not processed yet is cancelled as a sale. What is processed has promised stock, and Tryton lets go of that
by cancelling the shipment; then the sale is told to ignore the cancelled moves, and ends with nothing sent. What
has left the house, or is invoiced, is for a person: a return, a credit note.
"""

import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from storefront.erp.adapter import ErpAmbiguous, Result
from storefront.erp.adapters.tryton.posting import CHANGED_SECONDS
from storefront.erp.adapters.tryton.rpc import Changed, Refused, Visit
from storefront.erp.adapters.tryton.sales import Sale, find_sales, lots, press, unchanged, web_id_of
from storefront.erp.adapters.tryton.shop import WebShop
from storefront.erp.documents import Document

ROUNDS = 400  # steps of a batch: 50 sales, 4 steps each, and some that have to be taken twice
GONE = ("shipped", "done")  # states of a shipment


class Withdrawal:
    """A batch of cancellations on its way into Tryton."""

    def __init__(self, visit: Visit, shop: WebShop, cancellations: Sequence[Document]):
        self._visit, self._shop, self._cancellations = visit, shop, cancellations
        self._lines = {web_id_of(one.key): len(one.lines) for one in cancellations}
        self._refused: dict[str, str] = {}  # words by web ID
        self._sales: dict[str, Sale] = {}
        self._find()
        self._before = {web_id for web_id, sale in self._sales.items() if sale.withdrawn}

    def run(self) -> list[Result]:
        for _ in range(ROUNDS):
            todo = [s for s in self._sales.values() if not s.withdrawn and s.web_id not in self._refused]
            if not todo:
                return [self._result(one) for one in self._cancellations]
            if self._visit.late:
                break
            name, sales = next(iter(_by_step(todo).items()))
            self._step(name, next(lots(sales, lambda sale: self._lines[sale.web_id])))
            self._find()
        raise ErpAmbiguous("Not all of these sales could be taken back in time.")

    def _find(self) -> None:
        self._sales = find_sales(self._visit, self._shop, [web_id_of(one.key) for one in self._cancellations])

    def _step(self, name: str, sales: Sequence[Sale]) -> None:
        """Take sales one step on; where that is refused, each by itself."""
        try:
            getattr(self, f"_{name}")(sales)
        except Changed:
            time.sleep(CHANGED_SECONDS)
        except Refused as refusal:
            for sale in sales if len(sales) > 1 else []:
                self._step(name, [sale])
            if len(sales) == 1:
                self._find()
                if self._sales.get(sales[0].web_id) == sales[0]:  # else somebody else was faster
                    self._refused[sales[0].web_id] = str(refusal)

    def _unmarked(self, sales: Sequence[Sale]) -> None:
        """Write down that the shop takes these back, before anything else is done to them."""
        booked = [sale for sale in sales if sale.booked]
        self._refuse_gone(booked)
        for sale in sales:
            if sale.web_id not in self._refused:
                mark = f"Cancelled in the shop ({self._key(sale)})."
                comment = f"{sale.comment}\n{mark}".strip()
                self._visit.do("model.sale.sale.write", [sale.id], {"comment": comment}, context=unchanged([sale]))

    def _draft(self, sales: Sequence[Sale]) -> None:
        press(self._visit, "cancel", sales)

    _quotation = _draft

    def _confirmed(self, sales: Sequence[Sale]) -> None:
        press(self._visit, "draft", sales)

    def _booked(self, sales: Sequence[Sale]) -> None:
        """Cancel the shipments, let the sales ignore the moves that fell away with them, and process that."""
        self._refuse_gone(sales)
        open_sales = [sale for sale in sales if sale.web_id not in self._refused]
        moves = self._moves(open_sales)
        shipments = sorted({_id_of(move["shipment"]) for move in moves if move["state"] != "cancelled"})
        if shipments:
            self._visit.do("model.stock.shipment.out.cancel", shipments)
        ignored = defaultdict(list)
        for move in moves:
            ignored[_id_of(move["origin"])].append(move["id"])
        writes: list[Any] = []
        for line, ids in ignored.items():
            writes += [[line], {"moves_ignored": [["add", ids]]}]
        if writes:
            self._visit.do("model.sale.line.write", *writes)
        if open_sales:
            self._visit.do("model.sale.sale.process", [sale.id for sale in open_sales])

    def _moves(self, sales: Iterable[Sale]) -> list[dict[str, Any]]:
        ids = [sale.id for sale in sales]
        return list(self._visit.search("stock.move", [["sale", "in", ids]], ["state", "shipment", "origin", "sale"]))

    def _refuse_gone(self, sales: Sequence[Sale]) -> None:
        """Refuse what has left the house or is invoiced."""
        moves = self._moves(sales)
        numbers = {_id_of(move["shipment"]) for move in moves}
        shipments = {
            one["id"]: one
            for one in self._visit.search("stock.shipment.out", [["id", "in", sorted(numbers)]], ["state", "number"])
        }
        gone = {m["sale"]: shipments[_id_of(m["shipment"])] for m in moves if _is_gone(m, shipments)}
        for sale in sales:
            if sale.id in gone:
                self._refused[sale.web_id] = f"shipment {gone[sale.id]['number']} has left the house already"
            elif sale.invoice_state != "none":
                self._refused[sale.web_id] = f"sale {sale.number} is invoiced already: credit it in Tryton"

    def _key(self, sale: Sale) -> str:
        return next(one.key for one in self._cancellations if web_id_of(one.key) == sale.web_id)

    def _result(self, one: Document) -> Result:
        web_id = web_id_of(one.key)
        sale = self._sales.get(web_id)
        if sale is None:
            return Result(one.key, "rejected", f"Tryton has no sale with the web ID {web_id}")
        if web_id in self._refused:
            return Result(one.key, "rejected", self._refused[web_id], sale.number)
        return Result(one.key, "duplicate" if web_id in self._before else "applied", "", sale.number)


def _by_step(sales: Iterable[Sale]) -> dict[str, list[Sale]]:
    """Sales by the step that they need next."""
    found = defaultdict(list)
    for sale in sales:
        found["unmarked" if not sale.marked else "booked" if sale.booked else sale.state].append(sale)
    return dict(found)


def _is_gone(move: dict[str, Any], shipments: dict[int, dict[str, Any]]) -> bool:
    return move["state"] == "done" or shipments[_id_of(move["shipment"])]["state"] in GONE


def _id_of(reference: str) -> int:
    """The id in a reference such as `stock.shipment.out,17`."""
    return int(reference.rpartition(",")[2])
