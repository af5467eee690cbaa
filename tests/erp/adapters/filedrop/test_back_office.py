"""The bundled back office: what it refuses, and how it is called."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from storefront.erp.adapter import Result
from storefront.erp.documents import CANCELLED
from tests.erp.adapters.filedrop.house import House
from tests.erp.adapters.filedrop.orders import batch, line, order, wanted

ROOT = Path(__file__).resolve().parents[4]


def results_of(house: House, sequence: int, kind: str = "placed") -> list[Result]:
    (ack,) = house.adapter.poll_acks([batch(sequence, order(1, kind=kind))])
    return list(ack.results)


def test_an_order_with_an_unknown_sku_is_rejected_whole_and_the_others_are_booked(house: House) -> None:
    house.set_stock({"MUG": 5})
    house.adapter.submit(batch(1, order(17, line(1), line(2, "GONE")), order(18)))

    house.work()

    assert [(one.key, one.outcome, one.words) for one in results_of(house, 1)] == [
        ("order-17-1", "rejected", "line 2: unknown SKU GONE"),
        ("order-18-1", "applied", ""),
    ]
    assert {one.order_id for one in house.booked()} == {18}


def test_a_cancellation_of_what_it_does_not_know_or_has_shipped_is_rejected(house: House) -> None:
    house.set_stock({"MUG": 5})
    house.adapter.submit(batch(1, order(17)))
    house.work()
    with house.office.book.transaction():
        house.office.book.ship(17)

    house.adapter.cancel(batch(2, order(17, kind=CANCELLED), order(18, kind=CANCELLED)))
    house.work()

    assert [(one.outcome, one.words) for one in results_of(house, 2, CANCELLED)] == [
        ("rejected", "order 17 has been shipped"),
        ("rejected", "order 18 is not on the books"),
    ]
    assert house.stock() == {"MUG": 4}


def test_a_file_waits_for_the_one_before(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    house.set_stock({"MUG": 5})
    house.adapter.submit(batch(2, order(18)))

    house.work()
    assert house.booked() == []
    assert "orders-000001.csv is missing" in capsys.readouterr().out
    house.adapter.submit(batch(1, order(17)))
    house.work()

    assert [one.order_id for one in house.booked()] == [17, 18]


def edit_table(drop: Path) -> None:
    path = drop / "orders-000001.csv"
    path.write_bytes(path.read_bytes().replace(b"MUG,1,", b"MUG,2,"))


def edit_totals(drop: Path) -> None:
    path = drop / "orders-000001.json"
    path.write_text(path.read_text().replace('"quantity": 1', '"quantity": 2'))


def lose_totals(drop: Path) -> None:
    (drop / "orders-000001.json").unlink()


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (edit_table, "its SHA-256 is not the one beside it"),
        (edit_totals, "quantity: 1 in the file, 2 beside it"),
        (lose_totals, "no JSON file with totals beside it"),
    ],
)
def test_a_file_that_is_not_what_its_totals_say_is_refused_whole(
    house: House, tmp_path: Path, damage: Callable[[Path], None], words: str
) -> None:
    house.set_stock({"MUG": 5})
    house.adapter.submit(batch(1))
    damage(tmp_path / "house" / "drop")

    house.work()

    (ack,) = house.adapter.poll_acks([batch(1)])
    assert words in (ack.refused or "")
    assert house.booked() == []


def test_it_tells_its_stock_only_when_something_has_changed(house: House, tmp_path: Path) -> None:
    house.set_stock({"MUG": 5})

    house.work()
    house.work()

    assert [path.name for path in (tmp_path / "house" / "drop").glob("stock-*")] == ["stock-000001.csv"]


def test_more_can_be_promised_than_there_is_and_it_says_so(house: House) -> None:
    house.set_stock({"MUG": 1})
    house.adapter.submit(batch(1, order(17, line(1, "MUG", 3))))

    house.work()

    snapshot = house.adapter.snapshot(wanted())
    assert snapshot is not None
    assert snapshot.figures == {"MUG": -2}


def call(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "storefront.erp.adapters.filedrop.legacy", str(folder), *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30)


def test_on_the_command_line_it_opens_receives_ships_and_refuses(house: House, tmp_path: Path) -> None:
    drop = tmp_path / "house" / "drop"
    (tmp_path / "stock.csv").write_text("sku,quantity\nMUG,5\n")
    house.adapter.submit(batch(1, order(17)))

    opened = call(drop, "--stock", str(tmp_path / "stock.csv"), "--receive", "CAP", "3")
    shipped = call(drop, "--stock", str(tmp_path / "stock.csv"), "--ship", "17")
    refused = call(drop, "--ship", "17")

    assert (opened.returncode, opened.stdout) == (0, "orders-000001.csv: 1 orders, 0 of them rejected\n")
    assert shipped.returncode == 0
    assert (refused.returncode, refused.stderr) == (1, "order 17 has been shipped before\n")
    assert house.stock() == {"CAP": 3, "MUG": 4}
    assert sorted(path.name for path in drop.glob("stock-*")) == ["stock-000001.csv", "stock-000002.csv"]
