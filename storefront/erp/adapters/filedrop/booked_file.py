"""Files that say what the ERP has on its books of our orders."""

from collections.abc import Iterator

from storefront.erp.adapter import BookedLine
from storefront.erp.adapters.filedrop.cells import unescape
from storefront.erp.adapters.filedrop.numbers import NoNumber, money, whole_number
from storefront.erp.adapters.filedrop.table import Damaged, Row, Unfinished, is_finished, read_table

COLUMNS = ("order_id", "line", "sku", "quantity", "unit_price", "currency")


def read_booked(data: bytes) -> Iterator[BookedLine]:
    """The lines of a file. Raises Damaged for any wrong row: without it the comparison would blame the shop."""
    table = read_table(data, COLUMNS)
    said = next((remark.value for remark in table.remarks if remark.name == "rows"), None)
    if not is_finished(data) or said not in (None, str(len(table.rows))):
        line = table.rows[-1].line if table.rows else table.header_line
        raise Unfinished(line, "", f"the file ends here, after {len(table.rows)} rows: it is half-written")
    return (_line(row) for row in table.rows)


def _line(row: Row) -> BookedLine:
    if row.damage:
        raise Damaged(row.line, "", row.damage)
    cells = {name: row.cells.get(name, "").strip() for name in COLUMNS}
    for name in ("sku", "currency"):
        if not cells[name]:
            raise Damaged(row.line, name, "is empty")
    numbers: dict[str, int] = {}
    column = ""
    try:
        for column in ("order_id", "line", "quantity"):
            numbers[column] = whole_number(cells[column], lowest=1)
        column = "unit_price"
        price = money(cells[column])
    except NoNumber as error:
        raise Damaged(row.line, column, str(error)) from error
    return BookedLine(**numbers, sku=unescape(cells["sku"]), unit_price=price, currency=cells["currency"])
