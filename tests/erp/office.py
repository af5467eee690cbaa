"""A shop with the bundled back office behind its file drop, for the tests of commands and pages."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flask import Flask

from storefront.core.tools import take
from storefront.erp import delivery
from storefront.erp.adapters.filedrop.legacy.book import Book
from storefront.erp.adapters.filedrop.legacy.office import Office
from tests.cart.shelf import Visitor, shelve, visitor

SKUS = ("MUG", "CAP")


class Erp:
    """The back office; `folder` is its drop."""

    def __init__(self, app: Flask, folder: Path, book: Book):
        self.app, self.folder, self.book = app, folder, book
        self.office = Office(folder, book)

    def set_stock(self, **units: int) -> None:
        with self.book.transaction():
            for sku, on_hand in units.items():
                self.book.count(sku, on_hand)

    def forget(self, sku: str) -> None:
        """Let it refuse orders of a SKU."""
        self.change(f"DELETE FROM stock WHERE sku = '{sku}'")

    def change(self, statement: str) -> None:
        """Change its books behind its back, and let it say what is in them."""
        with self.book.transaction():
            self.book._db.execute(statement)
            self.book._note_change()
        self.office.export_booked()

    def work(self) -> None:
        """Let it do its part once."""
        self.office.import_orders()
        self.office.export_stock()
        self.office.export_booked()

    def sync(self) -> None:
        """Send all, let it work, and hear what it says."""
        delivery.deliver(take("exchange"), now=True)
        self.work()
        delivery.deliver(take("exchange"), now=True)

    def break_drop(self) -> None:
        """Put a file where the drop should be, so that nobody can reach it."""
        self.folder.rename(self.folder.with_name("gone"))
        self.folder.write_text("no folder")

    def order(self, **units: int) -> tuple[int, Visitor, str]:
        """Place an order, each unit at 10.00: its id, its shopper, and its token."""
        ann = visitor(self.app)
        for sku, quantity in units.items():
            assert ann.add(sku, quantity).status_code == 201
        placed = ann.order(f"{sum(units.values()) * 10}.00").get_json()
        return placed["id"], ann, placed["token"]


@contextmanager
def open_erp(app: Flask, tmp_path: Path) -> Iterator[Erp]:
    """An ERP that has 50 of each SKU, as the shop has."""
    shelve({sku: 50 for sku in SKUS})
    folder = app.extensions["settings"].data_dir / "erp"
    folder.mkdir()
    book = Book(tmp_path / "books.db")
    try:
        erp = Erp(app, folder, book)
        erp.set_stock(**{sku: 50 for sku in SKUS})
        yield erp
    finally:
        book.close()
