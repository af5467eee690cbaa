"""The ERP's house for the contract suite: a Tryton server, its settings, and a look into its books."""

import signal
import sqlite3
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from storefront.core.config import Reader, load_settings
from storefront.erp.adapter import BookedLine, ErpAmbiguous
from storefront.erp.adapters.tryton import open_adapter
from storefront.erp.adapters.tryton.adapter import TrytonAdapter
from storefront.erp.adapters.tryton.rpc import Connection, Door, Visit
from storefront.erp.adapters.tryton.sales import mark_of, order_of
from storefront.erp.documents import Document
from tests.erp.adapters.tryton.documents import batch_of
from tests.erp.adapters.tryton.kit import ADMIN_PASSWORD, BOT_PASSWORD, DATABASE, RunningTryton
from tests.erp.adapters.tryton.proxy import Fault, Proxy, cut, standing_before
from tests.running import free_port

MOST = 50  # records in one call: Tryton on SQLite stumbles over a few hundred
STOCK = """
    SELECT product.code, SUM(CASE
        WHEN move.state = 'done' AND arriving.code IN ('STO', 'OUT') THEN move.internal_quantity
        WHEN move.state = 'cancelled' THEN 0
        WHEN leaving.code IN ('STO', 'OUT') AND (move.state = 'done' OR arriving.type = 'customer')
            THEN -move.internal_quantity
        ELSE 0 END
        - CASE WHEN move.state = 'done' AND arriving.code IN ('STO', 'OUT') AND leaving.code IN ('STO', 'OUT')
            THEN move.internal_quantity ELSE 0 END)
    FROM stock_move AS move
    JOIN product_product AS product ON product.id = move.product
    JOIN stock_location AS leaving ON leaving.id = move.from_location
    JOIN stock_location AS arriving ON arriving.id = move.to_location
    GROUP BY product.code
"""
BOOKED = """
    SELECT sale.web_id, sale.comment, line.sequence, product.code, line.quantity, line.unit_price, currency.code,
        EXISTS (SELECT 1 FROM stock_move WHERE origin = 'sale.line,' || line.id AND state != 'cancelled')
    FROM sale_line AS line
    JOIN sale_sale AS sale ON sale.id = line.sale
    JOIN product_product AS product ON product.id = line.product
    JOIN currency_currency AS currency ON currency.id = sale.currency
    WHERE sale.state IN ('confirmed', 'processing', 'done') ORDER BY line.id
"""

SHIPMENT = """
    SELECT DISTINCT move.shipment FROM stock_move AS move
    JOIN sale_line AS line ON move.origin = 'sale.line,' || line.id
    JOIN sale_sale AS sale ON sale.id = line.sale WHERE sale.web_id = ?
"""
STEPS = {"draft": "quote", "quotation": "confirm", "confirmed": "process"}  # what takes a sale on from a state


class House:
    """A Tryton with our web shop in it."""

    def __init__(self, tryton: RunningTryton, proxy: Proxy):
        self.tryton, self.proxy = tryton, proxy
        self.folder = tryton.folder
        self.environ = self.environ_of()

    def environ_of(self, **other: str) -> dict[str, str]:
        """The settings with which an adapter reaches this house."""
        return {
            "ERP_ADAPTER": "tryton",
            "ERP_TRYTON_URL": self.tryton.url,
            "ERP_TRYTON_DATABASE": DATABASE,
            "ERP_TRYTON_USER": "bot",
            "ERP_TRYTON_PASSWORD": BOT_PASSWORD,
            "ERP_TRYTON_SHOP": "Stockbeat",
            **other,
        }

    @cached_property
    def adapter(self) -> TrytonAdapter:
        return self.adapter_with()

    def adapter_with(self, **other: str) -> TrytonAdapter:
        """An adapter of its own, with some of the settings changed."""
        return adapter_of(self.environ_of(**other), self.folder)

    @cached_property
    def behind_proxy(self) -> TrytonAdapter:
        """An adapter that goes through `proxy`, whose faults it meets."""
        return self.adapter_with(ERP_TRYTON_URL=self.proxy.url)

    def work(self) -> None:
        """Tryton works while it is asked."""

    # -- as the people in the house work -----------------------------------------------------------------------

    def ask(self, method: str, *params: Any) -> Any:
        """Let the administrator call a method of Tryton's."""
        return Visit(self._admin).do(method, *params, context={"company": 1})

    @cached_property
    def _admin(self) -> Connection:
        return Connection(Door(self.tryton.url, DATABASE, "admin", ADMIN_PASSWORD, 30))

    def set_stock(self, units: Mapping[str, int]) -> None:
        """Count the shelves: this is what lies on them. SKUs that are not known become products."""
        self.create_products(sorted(set(units) - set(self.products())))
        products = self.products()
        lines = [{"product": products[sku], "quantity": count} for sku, count in units.items()]
        for start in range(0, len(lines), MOST):
            counted = {"location": self.place("STO"), "company": 1, "lines": [["create", lines[start : start + MOST]]]}
            self.ask("model.stock.inventory.confirm", self.ask("model.stock.inventory.create", [counted]))

    def create_products(self, skus: list[str], **more: Any) -> None:
        (category,) = self.ask("model.product.category.search", [["name", "=", "Goods"]])
        common = {
            "type": "goods", "default_uom": 1, "sale_uom": 1, "salable": True, "list_price": Decimal(1),
            "account_category": category, **more,
        }  # fmt: skip
        for start in range(0, len(skus), MOST):
            some = skus[start : start + MOST]
            self.ask(
                "model.product.template.create",
                [{**common, "name": sku, "products": [["create", [{"suffix_code": sku}]]]} for sku in some],
            )

    def plan(self, sku: str, units: int, leaving: str, arriving: str, *, price: Decimal | None = None) -> int:
        """Plan a move between two places, which is not done yet; return its id."""
        move = {
            "product": self.products()[sku], "unit": 1, "quantity": units, "company": 1,
            "from_location": self.place(leaving), "to_location": self.place(arriving),
            "unit_price": price, "currency": 1 if price is not None else None,
        }  # fmt: skip
        return int(self.ask("model.stock.move.create", [move])[0])

    def leave_at(self, order: Document, state: str) -> int:
        """Let an order be in a state as if its sender had been killed there; return the sale's id."""
        self.proxy.faults.append(Fault(f"sale.{STEPS[state]}", before=cut))
        with suppress(ErpAmbiguous):
            self.behind_proxy.submit(batch_of(order))
        ((sale, there),) = self.read("SELECT id, state FROM sale_sale WHERE web_id = ?", order.key)
        assert there == state
        return int(sale)

    def pick(self, order: Document) -> None:
        """Take what was sold from the shelf, and pack it."""
        self._handle(order, "wait", "assign_force", "pick", "pack")

    def ship(self, order: Document) -> None:
        """Let what was sold leave the house, and Tryton's worker say so on the sale."""
        ((state,),) = self.read("SELECT state FROM stock_shipment_out WHERE id = ?", self._shipment(order))
        if state != "packed":
            self.pick(order)
        self._handle(order, "do")
        self.press("process", order)

    def press(self, button: str, order: Document) -> None:
        """Press a button of a sale."""
        ((sale,),) = self.read("SELECT id FROM sale_sale WHERE web_id = ?", order.key)
        self.ask(f"model.sale.sale.{button}", [sale])

    def _handle(self, order: Document, *buttons: str) -> None:
        for button in buttons:
            self.ask(f"model.stock.shipment.out.{button}", [self._shipment(order)])

    def _shipment(self, order: Document) -> int:
        ((shipment,),) = self.read(SHIPMENT, order.key)
        return int(shipment.rpartition(",")[2])

    def invoice(self, when: str) -> None:
        """Choose when sales are invoiced: `order` or `fulfillment`."""
        self.ask("model.sale.configuration.write", [1], {"sale_invoice_method": when})

    def forbid(self, number: str) -> None:
        """Let a rule of the house refuse sales with this number of ours."""
        rule = {"domain": f'[["reference", "!=", "{number}"]]'}
        group = {"name": "No such sales", "model": "sale.sale", "global_p": True, "rules": [["create", [rule]]]}
        only = {"perm_create": True, "perm_read": False, "perm_write": False, "perm_delete": False}
        self.ask("model.ir.rule.group.create", [group | only])

    # -- what stands in the books ------------------------------------------------------------------------------

    def read(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Rows of Tryton's own database file."""
        with closing(sqlite3.connect(f"file:{self.tryton.database}?mode=ro", uri=True, timeout=10)) as books:
            return books.execute(query, values).fetchall()

    def products(self) -> dict[str, int]:
        return dict(self.read("SELECT code, id FROM product_product"))

    def place(self, code: str) -> int:
        return int(self.read("SELECT id FROM stock_location WHERE code = ?", code)[0][0])

    def stock(self) -> dict[str, int]:
        """Units that are promised to nobody yet, by SKU."""
        return {sku: int(units) for sku, units in self.read(STOCK)}

    def booked(self) -> list[BookedLine]:
        lines = []
        for web_id, comment, line, sku, quantity, price, currency, moving in self.read(BOOKED):
            order_id = order_of(web_id)
            taken_back = mark_of(web_id) in (comment or "") and not moving
            if order_id is not None and not taken_back:
                lines.append(BookedLine(order_id, line, sku, int(quantity), _price(price), currency))
        return lines

    def total(self, order: Document) -> Decimal:
        """What an order comes to, as Tryton reckons."""
        ((total,),) = self.read("SELECT total_amount_cache FROM sale_sale WHERE web_id = ?", order.key)
        return _price(total)

    def states(self) -> list[tuple[str, str]]:
        """The sales by web ID with their states."""
        return self.read("SELECT web_id, state FROM sale_sale ORDER BY id")


def _price(stored: Any) -> Decimal:
    """An amount as it is stored: SQLite makes numbers of some, and leaves others as bytes."""
    return Decimal(stored.decode() if isinstance(stored, bytes) else str(stored))


def adapter_of(environ: Mapping[str, str], folder: Path) -> TrytonAdapter:
    """The adapter with these settings, as any process opens it."""
    read = Reader(environ)
    adapter = open_adapter(read, load_settings({"APP_ENV": "development", "DATA_DIR": str(folder)}))
    read.refuse()
    return adapter


@contextmanager
def open_house(folder: Path) -> Iterator[House]:
    """A Tryton of its own in a folder of its own."""
    with RunningTryton(folder / "tryton") as tryton, standing_before(tryton.url, free_port()) as proxy:
        yield House(tryton, proxy)


def run() -> None:
    """Run a Tryton to try the shop with: `python -m tests.erp.adapters.tryton.house SKU…`, 100 units of each."""
    with TemporaryDirectory() as folder, open_house(Path(folder)) as house:
        house.set_stock(dict.fromkeys(sys.argv[1:], 100))
        print("\n".join(f"export {name}='{value}'" for name, value in house.environ.items()), flush=True)
        print(f"# Tryton's client signs in as admin with {ADMIN_PASSWORD}. Stop this with Ctrl-C.", flush=True)
        with suppress(KeyboardInterrupt):
            signal.pause()


if __name__ == "__main__":
    run()
