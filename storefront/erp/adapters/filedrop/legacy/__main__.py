"""python -m storefront.erp.adapters.filedrop.legacy FOLDER: works off a drop folder once, or again and again."""

import argparse
import csv
import signal
import sys
import time
from pathlib import Path

from storefront.erp.adapters.filedrop.legacy.book import Book, Refused
from storefront.erp.adapters.filedrop.legacy.office import Office

PAUSE_SECONDS = 1.0
SKU_COLUMNS = ("sku", "Variant SKU")  # its own, and those of the product file that the shop reads
UNITS_COLUMNS = ("quantity", "Variant Inventory Qty")


def main() -> int:
    wishes = _wishes()
    wishes.folder.mkdir(parents=True, exist_ok=True)
    book = Book(wishes.book or wishes.folder / ".legacy-erp.db")
    office = Office(wishes.folder, book)
    try:
        _change(book, wishes)
    except Refused as refused:
        print(refused, file=sys.stderr)
        return 1
    office.put_files()
    if wishes.watch:
        _watch(office)
    else:
        _work(office)
        office.export_booked()
    return 0


def _wishes() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="legacy", description=__doc__)
    parser.add_argument("folder", type=Path, help="the drop folder")
    parser.add_argument("--watch", action="store_true", help="look every second, until SIGTERM")
    parser.add_argument("--book", type=Path, help="the SQLite file with its books (FOLDER/.legacy-erp.db)")
    parser.add_argument("--stock", type=Path, help="CSV with opening stock; a SKU that is known keeps its units")
    parser.add_argument("--receive", nargs=2, metavar=("SKU", "UNITS"), help="units that have come in")
    parser.add_argument("--ship", type=int, metavar="ORDER_ID", help="let an order leave the house")
    return parser.parse_args()


def _change(book: Book, wishes: argparse.Namespace) -> None:
    with book.transaction():
        if wishes.stock:
            _open_stock(book, wishes.stock)
        if wishes.receive:
            book.receive(wishes.receive[0], _units(wishes.receive[1]))
        if wishes.ship is not None:
            book.ship(wishes.ship)


def _open_stock(book: Book, file: Path) -> None:
    with file.open(encoding="utf-8-sig", newline="") as text:
        for row in csv.DictReader(text):
            sku = next((row[name] for name in SKU_COLUMNS if row.get(name)), "")
            units = next((row[name] for name in UNITS_COLUMNS if row.get(name)), "0")
            if sku:
                book.open_stock(sku, _units(units))


def _units(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise Refused(f"{text!r} is no whole number of units") from error


def _watch(office: Office) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit())  # anywhere: what is half-done has never been
    while True:
        if not _work(office):
            office.export_booked()  # all the books: only when there is nothing more urgent
        time.sleep(PAUSE_SECONDS)


def _work(office: Office) -> bool:
    """One round; return whether there was something to book."""
    done = office.import_orders()
    for line in done:
        print(line, flush=True)
    office.export_stock()
    return bool(done)


if __name__ == "__main__":
    sys.exit(main())
