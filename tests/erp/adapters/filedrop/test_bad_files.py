"""Files that cannot be taken at all: what is told names file, line and column. And the books of the ERP."""

import os
from pathlib import Path

import pytest

from storefront.erp.adapter import (
    ErpAlarm,
    ErpAuthFailed,
    ErpUnavailable,
)
from storefront.erp.adapters.filedrop.adapter import LARGEST_FILE, FileDrop
from tests.erp.adapters.filedrop.incoming import Erp
from tests.erp.adapters.filedrop.orders import batch, wanted

GOOD = "sku,quantity\r\nMUG,5\r\n"


# Stock files: not whole, or not readable


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (GOOD + "CA", r"line 3: the line has no end"),
        ("#rows,2\n" + GOOD, r"line 3: the file ends after 1 rows, its total says 2"),
        ("#quantity,6\n" + GOOD, r"column quantity: the sum is 5, its total says 6"),
        ("", r"line 1: the line has no end"),
    ],
)
def test_a_file_that_is_not_whole_is_not_there_yet_and_after_ten_seconds_an_alarm(
    adapter: FileDrop, erp: Erp, content: str, told: str
) -> None:
    erp.put("stock-000001.csv", content, seconds=0)
    assert adapter.snapshot(wanted()) is None
    erp.put("stock-000001.csv", content, seconds=11)

    with pytest.raises(ErpAlarm, match=rf"^stock-000001\.csv, {told}"):
        adapter.snapshot(wanted())


@pytest.mark.parametrize("sidecar", ['{"sha256": "00"}', '{"rows": 1', '{"rows": 7}'])
def test_a_file_that_its_sidecar_does_not_fit_is_not_there_yet_and_after_ten_seconds_an_alarm(
    adapter: FileDrop, erp: Erp, sidecar: str
) -> None:
    erp.put("stock-000001.json", sidecar)
    erp.put("stock-000001.csv", GOOD, seconds=0)
    assert adapter.snapshot(wanted()) is None
    erp.put("stock-000001.csv", GOOD, seconds=11)

    with pytest.raises(ErpAlarm, match=r"^stock-000001\.csv"):
        adapter.snapshot(wanted())


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (GOOD.encode("utf-16"), r"line 1: this is UTF-16"),
        (GOOD.encode("utf-16-le"), r"line 1, column sku: a NUL byte"),
        (b"sku,quantity\nMUG,5\nCAF\xc9,2\n", r"line 3, column sku: byte 0xC9 is not UTF-8.*\(byte 4 of the line\)"),
        (b"sku,quantity,note\nMUG,5,\xe4\n", r"line 2, column note: byte 0xE4 is not UTF-8"),
        (b"sku,quantity\nMUG,\x005\n", r"line 2, column quantity: a NUL byte"),
        (b"sku;quantity\nMUG;5\n", r"line 1, column sku: there is no such column.*separated by commas"),
        (b"#batch,1\nsku,amount\nMUG,5\n", r"line 2, column quantity: there is no such column"),
        (b"sku,quantity,SKU\nMUG,5,X\n", r"line 1, column sku: there is more than one"),
        (b"#as_of,yesterday\nsku,quantity\nMUG,5\n", r"line 1, column as_of: 'yesterday' is no time"),
        (b"#as_of,2023-11-14T22:13:20\nsku,quantity\nMUG,5\n", r"line 1, column as_of: .*offset"),
        (b"#batch,x\nsku,quantity\nMUG,5\n", r"line 1, column batch: 'x' is no whole number"),
        (b"#kind,guessed\nsku,quantity\nMUG,5\n", r"line 1, column kind: 'guessed' is neither"),
    ],
)
def test_a_file_that_cannot_be_read_is_an_alarm_at_once(adapter: FileDrop, erp: Erp, content: bytes, told: str) -> None:
    erp.put("stock-000001.csv", content, seconds=0)

    with pytest.raises(ErpAlarm, match=rf"^stock-000001\.csv, {told}"):
        adapter.snapshot(wanted())


def test_a_file_of_more_than_50_mb_is_an_alarm_and_is_not_read(adapter: FileDrop, erp: Erp) -> None:
    path = erp.put("stock-000001.csv", GOOD)
    os.truncate(path, LARGEST_FILE + 1)  # a hole: it takes no room

    with pytest.raises(ErpAlarm, match=r"stock-000001\.csv: has 50000001 bytes"):
        adapter.snapshot(wanted())


# Books


def test_the_newest_books_count_and_the_older_are_archived(adapter: FileDrop, erp: Erp, drop: Path) -> None:
    erp.put("booked-000001.csv", "order_id,line,sku,quantity,unit_price,currency\n")
    erp.put("booked-000002.csv", "order_id,line,sku,quantity,unit_price,currency\n17,1,MUG,2,10.00,EUR\n")

    (line,) = adapter.booked()

    assert (line.order_id, line.line, line.sku, line.quantity, str(line.unit_price)) == (17, 1, "MUG", 2, "10.00")
    assert [path.name for path in (drop / "archive").iterdir()] == ["booked-000001.csv"]


def test_without_books_it_says_so(adapter: FileDrop) -> None:
    with pytest.raises(ErpUnavailable, match="no booked-"):
        list(adapter.booked())


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("17,1,MUG,two,10.00,EUR", r"line 2, column quantity: 'two'"),
        ("17,1,,2,10.00,EUR", r"line 2, column sku: is empty"),
        ("17,1,MUG,2,10\\,00,EUR", r"line 2: the row has 7 cells"),
        ("17,1,MUG,2,free,EUR", r"line 2, column unit_price: 'free'"),
    ],
)
def test_a_wrong_row_of_the_books_is_an_alarm(adapter: FileDrop, erp: Erp, row: str, told: str) -> None:
    erp.put("booked-000001.csv", f"order_id,line,sku,quantity,unit_price,currency\n{row}\n")

    with pytest.raises(ErpAlarm, match=rf"booked-000001\.csv, {told}"):
        list(adapter.booked())


def test_half_written_books_are_not_there_yet_and_after_ten_seconds_an_alarm(adapter: FileDrop, erp: Erp) -> None:
    half = "#rows,2\norder_id,line,sku,quantity,unit_price,currency\n17,1,MUG,2,10.00,EUR\n"
    erp.put("booked-000001.csv", half, seconds=0)
    with pytest.raises(ErpUnavailable, match=r"booked-000001\.csv.*in the making"):
        list(adapter.booked())
    erp.put("booked-000001.csv", half, seconds=11)

    with pytest.raises(ErpAlarm, match=r"booked-000001\.csv, line 3: the file ends here"):
        list(adapter.booked())


# The folder itself


def test_a_folder_that_cannot_be_one_is_told(tmp_path: Path, adapter: FileDrop, drop: Path) -> None:
    drop.write_text("a file")

    with pytest.raises((ErpUnavailable, ErpAuthFailed), match="drop"):
        adapter.submit(batch(1))
