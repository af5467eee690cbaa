"""An ERP behind a file drop, for the tests: the bundled back office on a folder of its own."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from storefront.core.config import load_settings
from storefront.erp.adapter import BookedLine
from storefront.erp.adapters import open_adapter
from storefront.erp.adapters.filedrop.adapter import FileDrop
from storefront.erp.adapters.filedrop.legacy.book import Book
from storefront.erp.adapters.filedrop.legacy.office import Office


@dataclass(frozen=True)
class House:
    """environ: the settings with which any process opens `adapter`."""

    environ: Mapping[str, str]
    adapter: FileDrop
    office: Office

    def work(self) -> None:
        """Let the ERP do its part once."""
        self.office.import_orders()
        self.office.export_stock()
        self.office.export_booked()

    def set_stock(self, units: Mapping[str, int]) -> None:
        """Units on hand, by SKU; one that the ERP does not know is new to it."""
        with self.office.book.transaction():
            for sku, on_hand in units.items():
                self.office.book.count(sku, on_hand)

    def stock(self) -> dict[str, int]:
        """What the ERP's books say can be promised."""
        return self.office.book.promisable()

    def booked(self) -> list[BookedLine]:
        """The lines on the ERP's books."""
        return [
            BookedLine(one.order_id, one.line, one.sku, one.quantity, one.unit_price, one.currency)
            for one in self.office.book.lines()
        ]


@contextmanager
def open_house(folder: Path) -> Iterator[House]:
    """An ERP that knows no SKU yet; its drop is `folder`/drop."""
    environ = {"ERP_ADAPTER": "filedrop", "ERP_FILEDROP_PATH": str(folder / "drop")}
    (folder / "drop").mkdir(parents=True)
    book = Book(folder / "drop" / ".legacy-erp.db")
    try:
        yield House(environ, open_drop(folder, environ), Office(folder / "drop", book))
    finally:
        book.close()


def open_drop(folder: Path, environ: Mapping[str, str]) -> FileDrop:
    """The adapter with these settings; `folder` is the shop's own."""
    settings = load_settings({"DATA_DIR": str(folder), "SECRET_KEY": "test", **environ})
    adapter = open_adapter(settings)
    assert isinstance(adapter, FileDrop)
    return adapter
