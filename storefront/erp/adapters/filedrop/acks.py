"""Acknowledgement files: what the ERP says of the lines of a batch."""

import csv
from collections import defaultdict
from collections.abc import Iterable

from storefront.erp.adapter import Ack, BatchHead, Outcome, Problem, Result
from storefront.erp.adapters.filedrop.cells import unescape
from storefront.erp.adapters.filedrop.table import Damaged, Row, is_finished, read_table, refuse_binary
from storefront.erp.documents import key_of

COLUMNS = ("order_id", "line", "result", "message")
RANKS: dict[str, Outcome] = {  # from the best to the worst
    "duplicate": "duplicate",
    "applied": "applied",
    "accepted": "accepted",
    "retry_later": "retry_later",
    "rejected": "rejected",
}
WORST = list(RANKS)


def read_ack(name: str, data: bytes, head: BatchHead) -> Ack | None:
    """What the file says of the batch; None as long as it is not whole.

    An order's worst line counts. An order with a line that cannot be read gets no result, and goes on waiting.
    """
    try:
        refuse_binary(data)
        if not is_finished(data):
            return None
        table = read_table(data, COLUMNS)
    except Damaged as damaged:
        return Ack(head.sequence, problems=[Problem(name, damaged.line, damaged.column, damaged.words)])
    rows, said = _without_total(table.rows)
    said = next((remark.value for remark in table.remarks if remark.name == "rows"), said)
    if said is not None and said != str(len(rows)):
        return None
    return _told(name, rows, head)


def _without_total(rows: list[Row]) -> tuple[list[Row], str | None]:
    """The rows, and what a last row `#rows,N` says of their number."""
    if not rows or not rows[-1].raw.startswith("#rows,"):
        return rows, None
    return rows[:-1], next(csv.reader([rows[-1].raw]))[1].strip()


def _told(name: str, rows: list[Row], head: BatchHead) -> Ack:
    by_order: dict[int, list[Row]] = defaultdict(list)
    problems, unreadable, refused = [], set(), None
    for row in rows:
        fault = _fault(row)
        if fault:
            problems.append(Problem(name, row.line, *fault, row.raw))
            unreadable.add(_cell(row, "order_id"))
        elif _cell(row, "order_id"):
            by_order[int(_cell(row, "order_id"))].append(row)
        else:
            refused = _words([row]) or "the ERP took none of it, and said no more"
    results = [_result(order_id, of_it, head.kind) for order_id, of_it in by_order.items()]
    read = [result for order_id, result in zip(by_order, results, strict=True) if str(order_id) not in unreadable]
    return Ack(head.sequence, read, refused, problems)


def _fault(row: Row) -> tuple[str, str] | None:
    """The column that cannot be read, and why."""
    if row.damage:
        return "", row.damage
    order_id, result = _cell(row, "order_id"), _cell(row, "result")
    if result not in RANKS:
        return "result", f"{result!r} is none of {', '.join(WORST)}"
    if not order_id and result != "rejected":
        return "order_id", "is empty: only a whole file can be without one, and then it is rejected"
    if order_id and not _is_number(order_id):
        return "order_id", f"{order_id!r} is no order's number"
    if _cell(row, "line") and not _is_number(_cell(row, "line")):
        return "line", f"{_cell(row, 'line')!r} is no line's number"
    return None


def _result(order_id: int, rows: list[Row], kind: str) -> Result:
    worst = max((_cell(row, "result") for row in rows), key=WORST.index)
    erp_id = next((_cell(row, "erp_id") for row in rows if _cell(row, "erp_id")), "")
    words = _words(row for row in rows if _cell(row, "result") == worst)
    return Result(key_of(order_id, kind), RANKS[worst], words, erp_id)


def _words(rows: Iterable[Row]) -> str:
    told = []
    for row in rows:
        message, line = unescape(_cell(row, "message")), _cell(row, "line")
        told += [f"line {line}: {message}" if line else message] if message else []
    return "; ".join(told)


def _cell(row: Row, name: str) -> str:
    return row.cells.get(name, "").strip()


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 15
