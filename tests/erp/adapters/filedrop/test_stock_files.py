"""Stock files: what they say of themselves, their sequence, and their rows, of which the good ones count."""

import json
import os
from hashlib import sha256
from pathlib import Path

import pytest

from storefront.erp.adapter import (
    AppliedSet,
    ErpAlarm,
    Problem,
    Snapshot,
    UpToBatch,
    UpToTime,
)
from storefront.erp.adapters.filedrop.adapter import FileDrop
from tests.erp.adapters.filedrop.incoming import Erp
from tests.erp.adapters.filedrop.orders import wanted

GOOD = "sku,quantity\r\nMUG,5\r\n"
NOON_MS = 1_700_000_000_000


def seen(snapshot: Snapshot | None) -> dict[str, int]:
    assert snapshot is not None
    return dict(snapshot.figures)


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
