"""Files that cannot be right: what is told names file, line and column, and what is good in them goes through."""

import json
import os
from hashlib import sha256
from pathlib import Path

import pytest

from storefront.erp.adapter import (
    Ack,
    AppliedSet,
    ErpAlarm,
    ErpAuthFailed,
    ErpUnavailable,
    Problem,
    Result,
    Snapshot,
    UpToBatch,
    UpToTime,
)
from storefront.erp.adapters.filedrop.adapter import LARGEST_FILE, FileDrop
from storefront.erp.documents import CANCELLED, PLACED
from tests.erp.adapters.filedrop.orders import batch, order, wanted

GOOD = "sku,quantity\r\nMUG,5\r\n"
NOON_MS = 1_700_000_000_000


class Erp:
    """Puts files into the drop as an ERP would, `seconds` ago."""

    def __init__(self, drop: Path):
        self.drop = drop

    def put(self, name: str, content: str | bytes, seconds: float = 60) -> Path:
        self.drop.mkdir(exist_ok=True)
        path = self.drop / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        os.utime(path, (path.stat().st_mtime - seconds,) * 2)
        return path


@pytest.fixture
def erp(drop: Path) -> Erp:
    return Erp(drop)


def seen(snapshot: Snapshot | None) -> dict[str, int]:
    assert snapshot is not None
    return dict(snapshot.figures)


def ack_of(adapter: FileDrop, kind: str = PLACED) -> Ack | None:
    acks = adapter.poll_acks([batch(1, order(17, kind=kind))])
    return acks[0] if acks else None


# Stock files: what says of itself as of when it is


def test_a_plain_file_is_as_of_when_it_was_written_and_has_a_margin(adapter: FileDrop, erp: Erp) -> None:
    path = erp.put("stock-000001.csv", GOOD)
    os.utime(path, (NOON_MS / 1000,) * 2)

    snapshot = adapter.snapshot(wanted())

    assert snapshot is not None
    assert (snapshot.source, snapshot.sequence, snapshot.figures) == ("stock-000001.csv", 1, {"MUG": 5})
    assert snapshot.content_hash == sha256(GOOD.encode()).hexdigest()
    assert snapshot.watermark == UpToTime(NOON_MS, 60_000)


def test_remarks_say_as_of_when_and_after_which_batch(adapter: FileDrop, erp: Erp) -> None:
    erp.put(
        "stock-000001.csv", "\ufeff#as_of,2023-11-14T22:13:20Z,,\r\n#batch,17\r\n#rows,1\r\n#by,night run\r\n" + GOOD
    )

    snapshot = adapter.snapshot(wanted())

    assert snapshot is not None
    assert (snapshot.as_of_ms, snapshot.watermark) == (NOON_MS, UpToBatch(17))
    assert seen(snapshot) == {"MUG": 5}


def test_a_sidecar_says_the_same(adapter: FileDrop, erp: Erp) -> None:
    told = {"as_of": "2023-11-14T23:13:20+01:00", "batch": 17, "rows": 1, "quantity": 5}
    erp.put("stock-000001.json", json.dumps({**told, "sha256": sha256(GOOD.encode()).hexdigest()}))
    erp.put("stock-000001.csv", GOOD)

    snapshot = adapter.snapshot(wanted())

    assert snapshot is not None
    assert (snapshot.as_of_ms, snapshot.watermark) == (NOON_MS, UpToBatch(17))


def test_a_physical_count_names_the_orders_that_have_left_the_house(adapter: FileDrop, erp: Erp) -> None:
    erp.put("stock-000001.csv", "#kind,physical\n#shipped,17\n#shipped,19\n" + GOOD)

    snapshot = adapter.snapshot(wanted())

    assert snapshot is not None
    left = frozenset({"order-17-1", "order-19-1"})
    assert (snapshot.stock, snapshot.watermark, snapshot.shipped) == ("physical", AppliedSet(left), left)


# Stock files: in sequence


def test_files_are_taken_one_by_one_and_those_before_are_archived(adapter: FileDrop, erp: Erp, drop: Path) -> None:
    for number in (1, 2, 10):
        erp.put(f"stock-{number:06}.csv", f"sku,quantity\nMUG,{number}\n")
    erp.put("stock-000001.json", "{}")

    first = adapter.snapshot(wanted())
    assert first is not None
    second = adapter.snapshot(wanted(1, first.content_hash))

    assert (seen(first), seen(second)) == ({"MUG": 1}, {"MUG": 2})
    assert sorted(path.name for path in (drop / "archive").iterdir()) == ["stock-000001.csv", "stock-000001.json"]


def test_a_gap_is_an_alarm_that_names_what_is_missing_unless_it_is_accepted(adapter: FileDrop, erp: Erp) -> None:
    erp.put("stock-000007.csv", GOOD)

    with pytest.raises(ErpAlarm, match=r"stock-000004\.csv to stock-000006\.csv are missing; .* stock-000007\.csv"):
        adapter.snapshot(wanted(3))
    with pytest.raises(ErpAlarm, match=r"stock-000006\.csv is missing"):
        adapter.snapshot(wanted(5))

    assert seen(adapter.snapshot(wanted(3, accept_gap=True))) == {"MUG": 5}


def test_the_last_number_again_is_nothing_new_and_with_other_content_an_alarm(
    adapter: FileDrop, erp: Erp, drop: Path
) -> None:
    erp.put("stock-000003.csv", GOOD)

    assert adapter.snapshot(wanted(3, sha256(GOOD.encode()).hexdigest())) is None
    assert (drop / "archive" / "stock-000003.csv").exists()
    erp.put("stock-000003.csv", "sku,quantity\nMUG,9\n")

    with pytest.raises(ErpAlarm, match=r"stock-000003\.csv: another file of this number was taken in"):
        adapter.snapshot(wanted(3, sha256(GOOD.encode()).hexdigest()))


def test_a_late_file_is_put_away_unread(adapter: FileDrop, erp: Erp, drop: Path) -> None:
    erp.put("stock-000002.csv", b"\xff\xfenonsense")

    assert adapter.snapshot(wanted(3)) is None

    assert (drop / "archive" / "stock-000002.csv").exists()


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


# Stock files: rows


@pytest.mark.parametrize(
    ("row", "column", "words"),
    [
        ("CAP,", "quantity", "is empty"),
        ("CAP", "quantity", "is empty"),
        ("CAP,1.000", "quantity", "'1.000' is no whole number"),
        ("CAP,=1+2", "quantity", "'=1+2' is a formula"),
        ("CAP,99999999999", "quantity", "is no whole number"),
        ("CAP,٣", "quantity", "is no whole number"),
        (",3", "sku", "is empty"),
        ("=1+2,3", "sku", "would be a formula"),
        ("'@SUM(A1),3", "sku", "would be a formula"),
        ("CAP,3,4", "", "the row has 3 cells, the header has 2"),
        ('"CAP"x,3', "", "cannot be read"),
    ],
)
def test_a_row_that_cannot_be_right_is_told_and_the_others_count(
    adapter: FileDrop, erp: Erp, row: str, column: str, words: str
) -> None:
    erp.put("stock-000001.csv", f"#batch,1\nsku,quantity\nMUG,5\n{row}\nPEN,-2\n")

    snapshot = adapter.snapshot(wanted())

    assert snapshot is not None
    assert snapshot.figures == {"MUG": 5, "PEN": -2}
    (problem,) = snapshot.problems
    assert (problem.source, problem.line, problem.column, problem.raw) == ("stock-000001.csv", 4, column, row)
    assert words in problem.words


def test_a_sku_with_two_figures_has_none_and_with_one_figure_twice_has_it(adapter: FileDrop, erp: Erp) -> None:
    erp.put("stock-000001.csv", "sku,quantity\nMUG,5\nCAP,1\nMUG,6\nCAP,1\n")

    snapshot = adapter.snapshot(wanted())

    assert snapshot is not None
    assert snapshot.figures == {"CAP": 1}
    assert snapshot.problems == [
        Problem("stock-000001.csv", 4, "sku", "'MUG' has 6 here and 5 in line 2", "MUG,6"),
    ]


def test_a_sku_of_the_shop_may_look_like_a_formula_escaped_or_not(adapter: FileDrop, erp: Erp) -> None:
    erp.put("stock-000001.csv", "sku,quantity\n'-MUG,5\n-CAP,6\n'+PEN,7\n")

    snapshot = adapter.snapshot(wanted(skus=("-MUG", "-CAP", "'+PEN")))

    assert seen(snapshot) == {"-MUG": 5, "-CAP": 6, "'+PEN": 7}


def test_columns_come_in_any_order_and_case_and_others_do_not_matter(adapter: FileDrop, erp: Erp) -> None:
    erp.put("stock-000001.csv", '\ufeffNote,QUANTITY , Sku\r\n"two\r\nlines",5,MUG\r\n\r\n,x,CAP\r\n')

    snapshot = adapter.snapshot(wanted())

    assert snapshot is not None
    assert snapshot.figures == {"MUG": 5}
    assert [(one.line, one.column) for one in snapshot.problems] == [(5, "quantity")]


# Acknowledgements


def test_the_worst_line_of_an_order_counts(adapter: FileDrop, erp: Erp) -> None:
    erp.put(
        "ack-000001.csv",
        "order_id,line,result,message,erp_id\n17,1,applied,,A\n17,2,rejected,'=unknown SKU,\n17,3,rejected,too many,\n"
        "18,,duplicate,,B\n19,1,accepted,,C\n19,2,applied,,\n20,,retry_later,stocktaking,\n",
    )

    ack = ack_of(adapter)

    assert ack is not None
    assert ack.results == [
        Result("order-17-1", "rejected", "line 2: =unknown SKU; line 3: too many", "A"),
        Result("order-18-1", "duplicate", "", "B"),
        Result("order-19-1", "accepted", "", "C"),
        Result("order-20-1", "retry_later", "stocktaking", ""),
    ]


def test_the_acknowledgement_of_a_cancellation_is_about_the_cancellation(adapter: FileDrop, erp: Erp) -> None:
    erp.put("ack-000001.csv", "order_id,line,result,message\n17,,applied,\n")

    ack = ack_of(adapter, CANCELLED)

    assert ack is not None
    assert ack.results == [Result("order-17-2", "applied")]


def test_a_file_can_be_refused_whole(adapter: FileDrop, erp: Erp) -> None:
    erp.put("ack-000001.csv", "order_id,line,result,message\n,,rejected,wrong totals\n")

    ack = ack_of(adapter)

    assert ack == Ack(1, [], "wrong totals", [])


@pytest.mark.parametrize(
    "content",
    [
        "order_id,line,result,message\n17,,applied,\n18,,appl",
        "order_id,line,result,message\n17,,applied,\n#rows,2\n",
        "#rows,2\norder_id,line,result,message\n17,,applied,\n",
        "",
    ],
)
def test_a_half_written_acknowledgement_is_left_until_it_is_whole(adapter: FileDrop, erp: Erp, content: str) -> None:
    erp.put("ack-000001.csv", content)
    assert ack_of(adapter) is None

    erp.put("ack-000001.csv", "order_id,line,result,message\n17,,applied,\n18,,applied,\n#rows,2\n")

    ack = ack_of(adapter)
    assert ack is not None
    assert [one.key for one in ack.results] == ["order-17-1", "order-18-1"]


@pytest.mark.parametrize(
    ("row", "column"),
    [
        ("18,1,perhaps,", "result"),
        ("x,1,applied,", "order_id"),
        (",1,applied,", "order_id"),
        ("18,one,applied,", "line"),
        ("18,1,applied,,,more", ""),
        ("18", "result"),
    ],
)
def test_a_line_of_an_acknowledgement_that_cannot_be_read_is_told_and_the_others_count(
    adapter: FileDrop, erp: Erp, row: str, column: str
) -> None:
    erp.put("ack-000001.csv", f"order_id,line,result,message\n17,,applied,\n{row}\n19,,applied,\n")

    ack = ack_of(adapter)

    assert ack is not None
    assert [one.key for one in ack.results] == ["order-17-1", "order-19-1"]
    assert [(one.source, one.line, one.column, one.raw) for one in ack.problems] == [("ack-000001.csv", 3, column, row)]


def test_an_order_of_which_one_line_cannot_be_read_has_no_result(adapter: FileDrop, erp: Erp) -> None:
    erp.put("ack-000001.csv", "order_id,line,result,message\n17,1,applied,\n17,2,perhaps,\n")

    ack = ack_of(adapter)

    assert ack is not None
    assert ack.results == []


@pytest.mark.parametrize(
    ("content", "line", "column"),
    [
        ("order_id,line,result,message\n17,,applied,ä\n".encode("latin-1"), 2, "message"),
        ("order_id,line,result,message\n17,,applied,\n".encode("utf-16"), 1, ""),
        (b"order_id,line,outcome,message\n17,,applied,\n", 1, "result"),
    ],
)
def test_an_acknowledgement_that_cannot_be_read_says_where_and_stops_no_other(
    adapter: FileDrop, erp: Erp, content: bytes, line: int, column: str
) -> None:
    erp.put("ack-000001.csv", content)
    erp.put("ack-000002.csv", "order_id,line,result,message\n18,,applied,\n")

    bad, good = adapter.poll_acks([batch(1, order(17)), batch(2, order(18))])

    assert [(one.source, one.line, one.column) for one in bad.problems] == [("ack-000001.csv", line, column)]
    assert not bad.results
    assert good.results == [Result("order-18-1", "applied")]


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
