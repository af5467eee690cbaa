"""The adapter: the shop's side of a Tryton."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

from storefront.erp.adapter import (
    Ack,
    AppliedSet,
    Batch,
    BatchHead,
    BookedLine,
    Capabilities,
    ErpAmbiguous,
    ErpThrottled,
    ErpUnavailable,
    Result,
    Snapshot,
    Wanted,
)
from storefront.erp.adapters.tryton import figures
from storefront.erp.adapters.tryton.posting import Posting
from storefront.erp.adapters.tryton.rpc import Changed, Connection, Refused, Visit
from storefront.erp.adapters.tryton.sales import (
    BOOKED,
    FIELDS,
    Sale,
    find_sales,
    order_of,
    press,
    read_sale,
    sent_since,
    web_id_of,
)
from storefront.erp.adapters.tryton.shop import WebShop, find_shop
from storefront.erp.adapters.tryton.withdrawal import Withdrawal
from storefront.erp.documents import hash_of

LINE_FIELDS = ["sequence", "product.code", "quantity", "unit_price", "sale.currency.code"]


class TrytonAdapter:
    """Tryton, through the user that the shop has there. Every call ends within 50 s (`rpc.VISIT_SECONDS`)."""

    name = "tryton"
    capabilities = Capabilities(
        max_batch=50,
        can_look_up=True,
        stock="promisable",
        watermark="applied_set",
        asynchronous_acks=False,
        in_order=False,
    )

    def __init__(self, connection: Connection, shop: str):
        self._connection, self._shop = connection, shop

    def health(self) -> str:
        with self._visit() as (visit, _):
            return f"Tryton {visit.version()}, web shop {self._shop!r}"

    def submit(self, batch: Batch) -> Sequence[Result]:
        with self._visit() as (visit, shop):
            return Posting(visit, shop, batch.documents).run()

    def cancel(self, batch: Batch) -> Sequence[Result]:
        with self._visit() as (visit, shop):
            return Withdrawal(visit, shop, batch.documents).run()

    def lookup(self, keys: Sequence[str]) -> Mapping[str, Result]:
        """What has become of documents. One that has only begun to arrive is absent: it has to be sent again.

        What is confirmed is processed, where we may; else a person or a worker of Tryton's does it.
        """
        with self._visit() as (visit, shop):
            sales = find_sales(visit, shop, map(web_id_of, keys))
            if confirmed := [sale for sale in sales.values() if sale.state == "confirmed" and not sale.marked]:
                _process(visit, confirmed)
                sales = find_sales(visit, shop, map(web_id_of, keys))
            found = {key: _result(key, sales[web_id_of(key)]) for key in keys if web_id_of(key) in sales}
            return {key: result for key, result in found.items() if result}

    def poll_acks(self, waiting: Sequence[BatchHead]) -> Sequence[Ack]:
        """Tryton says all that it has to say at once, or when it is looked up."""
        return []

    def snapshot(self, wanted: Wanted) -> Snapshot | None:
        """The figures of now, unless they are those of the last snapshot."""
        if wanted.now_ms <= wanted.last_sequence:
            return None
        with self._visit() as (visit, shop):
            sales = find_sales(visit, shop, map(web_id_of, wanted.pending))
            applied = {sale.web_id for sale in sales.values() if sale.deducted}
            units = figures.promisable(visit, shop, wanted.skus)
            sent = {sale.web_id for sale in sent_since(visit, shop, figures.changed_since(wanted.since_ms))}
        content = hash_of(json.dumps([sorted(units.items()), sorted(applied), sorted(sent)]))
        if content == wanted.last_hash:
            return None
        return Snapshot(
            source="stock of Tryton",
            sequence=wanted.now_ms,
            content_hash=content,
            as_of_ms=wanted.now_ms,
            stock="promisable",
            watermark=AppliedSet(frozenset(applied)),
            figures=units,
            shipped=frozenset(sent),
        )

    def changed_skus(self, since_ms: int) -> Collection[str] | None:
        with self._visit() as (visit, _):
            return figures.moved_since(visit, since_ms)

    def booked(self) -> Iterator[BookedLine]:
        with self._visit() as (visit, shop):
            domain = [
                ["sale.web_shop", "=", shop.id],
                ["sale.state", "in", ["confirmed", *BOOKED]],
                ["type", "=", "line"],
            ]
            fields = [*LINE_FIELDS, *(f"sale.{name}" for name in FIELDS)]
            for line in visit.search("sale.line", domain, fields):
                sale = read_sale(line["sale."])
                order_id = order_of(sale.web_id)
                if order_id is not None and not sale.withdrawn:
                    yield _booked_line(order_id, line)

    @contextmanager
    def _visit(self) -> Iterator[tuple[Visit, WebShop]]:
        """Go to Tryton. What has failed after we have written something there may have left some of it."""
        visit = Visit(self._connection)
        try:
            yield visit, find_shop(visit, self._shop)
        except (ErpUnavailable, ErpThrottled) as error:
            if visit.wrote:
                raise ErpAmbiguous(str(error)) from error
            raise


def _process(visit: Visit, sales: Sequence[Sale]) -> None:
    """Have sales processed, if we may, one after the other for as long as there is time."""
    for sale in sales:
        if visit.late:
            return
        try:
            press(visit, "process", [sale])
        except (Refused, Changed):
            pass  # somebody else does it, or has done it


def _result(key: str, sale: Sale) -> Result | None:
    """What has become of a document; None where it is not all there."""
    if key == sale.web_id:
        return sale.placed_result("applied")
    return Result(key, "applied", "", sale.number) if sale.withdrawn else None


def _booked_line(order_id: int, line: Mapping[str, Any]) -> BookedLine:
    return BookedLine(
        order_id=order_id,
        line=line["sequence"] or 0,
        sku=line["product."]["code"] if line["product."] else "",
        quantity=int(line["quantity"]),
        unit_price=Decimal(line["unit_price"]),
        currency=line["sale."]["currency."]["code"],
    )
