"""Posting orders: a walk through the states of a sale that anybody may take up where another one was killed.

Each step is asked for by what is found, never by what was done before: what is missing is created, drafts are
quoted, quotations confirmed, confirmed sales processed. The web ID is unique in the shop, and a step is taken only
from the state that was read (`unchanged`), so several who walk at once end with each order once.
"""

import time
from collections.abc import Sequence
from typing import Any

from storefront.erp.adapter import ErpAmbiguous, Result
from storefront.erp.adapters.tryton import customers
from storefront.erp.adapters.tryton.checks import objections
from storefront.erp.adapters.tryton.customers import email_of
from storefront.erp.adapters.tryton.goods import Product, find_products
from storefront.erp.adapters.tryton.rpc import Changed, Refused, Visit, create_one
from storefront.erp.adapters.tryton.sales import Sale, find_sales, lots, press
from storefront.erp.adapters.tryton.shop import WebShop
from storefront.erp.documents import Document

STEPS = (("draft", "quote"), ("quotation", "confirm"), ("confirmed", "process"))
ROUNDS = 40
CHANGED_SECONDS = 0.1


class Posting:
    """A batch of orders on its way into Tryton."""

    def __init__(self, visit: Visit, shop: WebShop, orders: Sequence[Document]):
        self._visit, self._shop, self._orders = visit, shop, orders
        self._lines = {order.key: len(order.lines) for order in orders}
        self._refused: dict[str, str] = {}  # words by key
        self._sales: dict[str, Sale] = {}
        self._find()
        self._before = {key for key, sale in self._sales.items() if sale.booked}

    def run(self) -> list[Result]:
        self._create([order for order in self._orders if order.key not in self._sales])
        self._walk()
        return [self._result(order) for order in self._orders]

    def _find(self) -> None:
        self._sales = find_sales(self._visit, self._shop, [order.key for order in self._orders])

    # -- creating ----------------------------------------------------------------------------------------------

    def _create(self, orders: Sequence[Document]) -> None:
        values = self._values(orders) if orders else {}
        for some in lots([order for order in orders if order.key in values], lambda order: len(order.lines)):
            try:
                self._visit.do("model.sale.sale.create", [values[order.key] for order in some])
            except Refused:
                self._create_singly(some, values)
        self._find()
        self._refused = {key: words for key, words in self._refused.items() if key not in self._sales}

    def _create_singly(self, orders: Sequence[Document], values: dict[str, Any]) -> None:
        """Find out which order it is that Tryton refuses, or which one somebody else has created."""
        self._find()
        for order in orders:
            if order.key not in self._sales:
                told = create_one(self._visit, "sale.sale", values[order.key])
                if isinstance(told, str):
                    self._refused[order.key] = told

    def _values(self, orders: Sequence[Document]) -> dict[str, dict[str, Any]]:
        """What to create, by key; orders with something wrong are refused."""
        products = find_products(self._visit, [line.sku for order in orders for line in order.lines])
        countries = customers.find_countries(self._visit, orders)
        for order in orders:
            if words := "; ".join(objections(order, self._shop, products, countries)):
                self._refused[order.key] = words
        good = [order for order in orders if order.key not in self._refused]
        parties, refusals = customers.find_customers(self._visit, good)
        self._refused |= {one.key: refusals[email_of(one)] for one in good if email_of(one) in refusals}
        good = [order for order in good if order.key not in self._refused]
        places = customers.find_places(self._visit, good, parties, countries)
        return {one.key: self._sale(one, products, parties[email_of(one)], places[one.key]) for one in good}

    def _sale(self, order: Document, products: dict[str, Product], party: int, place: int) -> dict[str, Any]:
        return {
            "company": self._shop.company,
            "web_shop": self._shop.id,
            "web_id": order.key,
            "reference": order.number,
            "party": party,
            "invoice_address": place,
            "shipment_address": place,
            "warehouse": self._shop.warehouse,
            "currency": self._shop.currency_id,
            "shipment_method": "order",
            "lines": [["create", [_line(line, products[line.sku]) for line in order.lines]]],
        }

    # -- walking -----------------------------------------------------------------------------------------------

    def _walk(self) -> None:
        """Take each sale as far as it goes; where there is no time left, the rest waits for another visit."""
        for _ in range(ROUNDS):
            state, button = next(((state, button) for state, button in STEPS if self._in(state)), ("", ""))
            if not state:
                return
            for some in lots(self._in(state), lambda sale: self._lines[sale.web_id]):
                if self._visit.late:
                    return
                self._step(button, some)
            self._find()
        raise ErpAmbiguous("Somebody else changes these sales all the time.")

    def _in(self, state: str) -> list[Sale]:
        """The sales that may be taken on from a state: not those that are being taken back."""
        found = self._sales.values()
        return [one for one in found if one.state == state and not one.marked and one.web_id not in self._refused]

    def _step(self, button: str, sales: Sequence[Sale]) -> None:
        """Take sales one step on; where that is refused, each by itself."""
        try:
            press(self._visit, button, sales)
        except Changed:
            time.sleep(CHANGED_SECONDS)
        except Refused as refusal:
            for sale in sales if len(sales) > 1 else []:
                self._step(button, [sale])
            if len(sales) == 1:
                self._find()
                if self._sales.get(sales[0].web_id) == sales[0]:  # else somebody else was faster
                    self._refuse(sales[0], str(refusal))

    def _refuse(self, sale: Sale, words: str) -> None:
        """Note a refusal. What cannot be confirmed is taken away, so that a corrected order finds its place free."""
        self._refused[sale.web_id] = words
        if sale.state == "confirmed":
            return
        try:
            if sale.state == "quotation":
                press(self._visit, "draft", [sale])
                self._find()
                sale = self._sales[sale.web_id]
            press(self._visit, "delete", [sale])
        except (Refused, Changed):
            pass  # somebody else has taken it on

    def _result(self, order: Document) -> Result:
        words = self._refused.get(order.key, "")
        sale = self._sales.get(order.key)
        result = sale.placed_result("duplicate" if order.key in self._before else "applied") if sale else None
        if result is None:
            return Result(order.key, "rejected", words) if words else Result(order.key, "unknown")
        return Result(order.key, result.outcome, words or result.words, result.erp_id)


def _line(line: Any, product: Product) -> dict[str, Any]:
    """A line of a sale, without taxes: our price has them in it, and its sum is right to the cent only as it is."""
    return {
        "sequence": line.line,
        "product": product.id,
        "unit": product.unit,
        "quantity": line.quantity,
        "unit_price": line.unit_price,
        "description": line.title,
        "taxes": [],
    }
