"""Acknowledgements: what they say of orders, and which of their lines cannot be read."""

import pytest

from storefront.erp.adapter import Ack, Result
from storefront.erp.adapters.filedrop.adapter import FileDrop
from storefront.erp.documents import CANCELLED, PLACED
from tests.erp.adapters.filedrop.incoming import Erp
from tests.erp.adapters.filedrop.orders import batch, order


def ack_of(adapter: FileDrop, kind: str = PLACED) -> Ack | None:
    acks = adapter.poll_acks([batch(1, order(17, kind=kind))])
    return acks[0] if acks else None


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
