"""The whole round: orders out, booked, acknowledged, stock figures and books back."""

import csv
import json
import os
from decimal import Decimal
from hashlib import sha256
from pathlib import Path

import pytest

from storefront.erp.adapter import BookedLine, ErpAlarm, Result, UpToBatch
from storefront.erp.adapters.filedrop.adapter import FileDrop
from storefront.erp.adapters.filedrop.folder import LocalFolder
from storefront.erp.documents import CANCELLED
from tests.erp.adapters.filedrop.house import House, open_drop
from tests.erp.adapters.filedrop.orders import batch, line, order, wanted


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def make_old(*paths: Path) -> None:
    for path in paths:
        os.utime(path, (0, 0))


def test_an_order_is_sent_booked_acknowledged_and_deducted(house: House) -> None:
    house.set_stock({"MUG": 5, "CAP": 2})
    sent = batch(1, order(17, line(1, "MUG", 2, "10.00"), line(2, "CAP", 1, "7.95")))

    answers = house.adapter.submit(sent)
    house.work()

    assert answers == [Result("order-17-1", "accepted", "orders-000001.csv")]
    (ack,) = house.adapter.poll_acks([sent])
    assert ack.results == [Result("order-17-1", "applied", "", "SO-000017")]
    snapshot = house.adapter.snapshot(wanted())
    assert snapshot is not None
    assert snapshot.figures == {"MUG": 3, "CAP": 1} == house.stock()
    assert snapshot.watermark == UpToBatch(1)
    assert snapshot.stock == "promisable"
    assert (
        list(house.adapter.booked())
        == house.booked()
        == [
            BookedLine(17, 1, "MUG", 2, Decimal("10.00"), "EUR"),
            BookedLine(17, 2, "CAP", 1, Decimal("7.95"), "EUR"),
        ]
    )


def test_a_cancellation_gives_the_units_back_and_ends_the_lines(house: House) -> None:
    house.set_stock({"MUG": 5})
    house.adapter.submit(batch(1, order(17)))

    house.adapter.cancel(batch(2, order(17, kind=CANCELLED)))
    house.work()

    (ack,) = house.adapter.poll_acks([batch(2, order(17, kind=CANCELLED))])
    assert [(one.key, one.outcome) for one in ack.results] == [("order-17-2", "applied")]
    assert house.stock() == {"MUG": 5}
    assert list(house.adapter.booked()) == []


def test_the_files_hold_one_row_per_line_and_their_totals(adapter: FileDrop, drop: Path) -> None:
    sent = batch(1, order(17, line(1, "MUG", 2, "10.00"), line(2, "CAP", 1, "7.95")), order(18))

    adapter.submit(sent)

    table = drop / "orders-000001.csv"
    rows = rows_of(table)
    assert [(row["order_id"], row["line"], row["sku"], row["quantity"], row["unit_price"]) for row in rows] == [
        ("17", "1", "MUG", "2", "10.00"),
        ("17", "2", "CAP", "1", "7.95"),
        ("18", "1", "MUG", "1", "10.00"),
    ]
    assert {key: rows[0][key] for key in ("kind", "order_number", "at", "tax", "name", "country")} == {
        "kind": "placed",
        "order_number": "S-17",
        "at": "1970-01-01T00:00:00.000Z",
        "tax": "1.67",
        "name": "Ann Ölund",
        "country": "AT",
    }
    assert b"\r\n" in table.read_bytes()
    assert json.loads((drop / "orders-000001.json").read_text()) == {
        "batch": "batch-1",
        "sequence": 1,
        "kind": "placed",
        "orders": 2,
        "lines": 3,
        "quantity": 4,
        "amount": "37.95",
        "currency": "EUR",
        "sha256": sha256(table.read_bytes()).hexdigest(),
        "content_hash": sent.content_hash,
    }


def test_a_cancellation_is_negative_so_that_files_can_be_summed(adapter: FileDrop, drop: Path) -> None:
    adapter.cancel(batch(1, order(17, line(1, "MUG", 2), kind=CANCELLED)))

    (row,) = rows_of(drop / "orders-000001.csv")
    totals = json.loads((drop / "orders-000001.json").read_text())
    assert (row["quantity"], row["tax"], row["unit_price"]) == ("-2", "-1.67", "10.00")
    assert (totals["quantity"], totals["amount"]) == (-2, "-20.00")


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_text_that_a_spreadsheet_would_run_is_disarmed_and_a_sku_is_not_touched(
    adapter: FileDrop, drop: Path, start: str
) -> None:
    evil = f"{start}HYPERLINK(1)"

    adapter.submit(batch(1, order(17, line(1, "-MUG", title=evil), name=evil, city=evil, number=evil)))

    (row,) = rows_of(drop / "orders-000001.csv")
    assert {row["title"], row["name"], row["city"], row["order_number"]} == {f"'{evil}"}
    assert row["sku"] == "-MUG"


def test_a_batch_that_is_sent_again_is_one_file_and_one_order(house: House) -> None:
    house.set_stock({"MUG": 5})
    house.adapter.submit(batch(1))
    house.work()

    house.adapter.submit(batch(1))
    house.work()

    assert len(house.booked()) == 1
    assert house.stock() == {"MUG": 4}


def test_an_order_that_comes_in_two_batches_is_booked_once(house: House) -> None:
    house.set_stock({"MUG": 5})
    first, second = batch(1, order(17)), batch(2, order(17), order(18))
    house.adapter.submit(first)
    house.adapter.submit(second)

    house.work()

    _, ack = house.adapter.poll_acks([first, second])
    assert [(one.key, one.outcome) for one in ack.results] == [("order-17-1", "duplicate"), ("order-18-1", "applied")]
    assert house.stock() == {"MUG": 3}


def test_what_was_acknowledged_before_its_sender_heard_it_is_told_to_the_next_even_from_the_archive(
    house: House, tmp_path: Path
) -> None:
    house.set_stock({"MUG": 5})
    house.adapter.submit(batch(1))
    house.work()
    drop = tmp_path / "house" / "drop"
    make_old(drop / "ack-000001.csv")
    house.adapter.poll_acks([])
    assert not (drop / "ack-000001.csv").exists()

    answers = house.adapter.submit(batch(1))

    assert answers == [Result("order-1-1", "applied", "", "SO-000001")]
    assert not (drop / "orders-000001.csv").exists()


def test_the_number_of_another_batch_is_an_alarm_and_nothing_is_overwritten(adapter: FileDrop, drop: Path) -> None:
    adapter.submit(batch(1, order(17)))
    before = (drop / "orders-000001.csv").read_bytes()

    with pytest.raises(ErpAlarm, match=r"orders-000001\.\w+: there is one of another content"):
        adapter.submit(batch(1, order(18)))

    assert (drop / "orders-000001.csv").read_bytes() == before


def test_a_killed_sender_that_had_put_the_totals_only_is_made_good(adapter: FileDrop, drop: Path) -> None:
    adapter.submit(batch(1))
    whole = (drop / "orders-000001.csv").read_bytes()
    (drop / "orders-000001.csv").unlink()

    adapter.submit(batch(1))

    assert (drop / "orders-000001.csv").read_bytes() == whole


def test_what_killed_senders_left_is_cleared_when_it_is_old(adapter: FileDrop, drop: Path) -> None:
    adapter.submit(batch(1))
    old, young = drop / ".orders-000002.csv.1.part", drop / ".orders-000002.csv.2.part"
    old.write_text("order_id")
    young.write_text("order_id")
    make_old(old)

    adapter.poll_acks([])

    assert not old.exists()
    assert young.exists()


def test_a_finished_batch_is_archived_after_a_while_and_never_over_another(house: House, tmp_path: Path) -> None:
    house.set_stock({"MUG": 5})
    house.adapter.submit(batch(1))
    house.work()
    drop = tmp_path / "house" / "drop"
    (drop / "archive" / "ack-000001.csv").write_text("an older one")

    house.adapter.poll_acks([])
    assert (drop / "ack-000001.csv").exists()
    make_old(drop / "ack-000001.csv")
    house.adapter.poll_acks([])

    assert sorted(path.name for path in (drop / "archive").iterdir()) == [
        "ack-000001.2.csv",
        "ack-000001.csv",
        "orders-000001.csv",
        "orders-000001.json",
    ]
    assert (drop / "archive" / "ack-000001.csv").read_text() == "an older one"


def test_an_erp_that_acknowledges_nothing_has_applied_what_is_written(tmp_path: Path) -> None:
    adapter = open_drop(tmp_path, {"ERP_FILEDROP_PATH": str(tmp_path / "drop"), "ERP_FILEDROP_ACKS": "no"})

    answers = adapter.submit(batch(1))

    assert answers == [Result("order-1-1", "applied", "orders-000001.csv")]
    assert not adapter.capabilities.asynchronous_acks


def test_the_folder_stands_in_the_shops_own_unless_said_otherwise_and_is_made_on_first_use(tmp_path: Path) -> None:
    adapter = open_drop(tmp_path, {})
    assert not (tmp_path / "erp").exists()

    words = adapter.health()

    assert words == f"{tmp_path / 'erp'}: 0 order files in it"
    assert (tmp_path / "erp" / "archive").is_dir()


def test_an_archived_file_is_the_same_one_when_its_mover_was_killed_before_the_last_step(drop: Path) -> None:
    folder = LocalFolder(drop)
    folder.put({"ack-000001.csv": b"x\n"})
    (drop / "archive" / "ack-000001.csv").hardlink_to(drop / "ack-000001.csv")

    folder.archive("ack-000001.csv")

    assert [path.name for path in (drop / "archive").iterdir()] == ["ack-000001.csv"]
    assert not (drop / "ack-000001.csv").exists()


def test_several_with_a_foreign_file_among_them_are_an_alarm_and_nothing_is_overwritten(
    adapter: FileDrop, drop: Path
) -> None:
    some = [batch(number) for number in range(1, 5)]
    adapter.submit(batch(3, order(99)))
    foreign = (drop / "orders-000003.csv").read_bytes()

    with pytest.raises(ErpAlarm, match=r"orders-000003.*: there is one of another content"):
        adapter.submit_several(some)
    answers = [adapter.submit(one) for one in some[:2]]

    assert [[one.outcome for one in results] for results in answers] == [["accepted"]] * 2
    assert (drop / "orders-000003.csv").read_bytes() == foreign
    assert not (drop / "orders-000004.csv").exists()
