"""Senders and the back office are killed anywhere: every file is whole, none is missing, nothing is doubled."""

import json
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path

import pytest

from storefront.erp.adapter import Batch, ErpAlarm, ErpUnavailable
from storefront.erp.adapters.filedrop.adapter import FileDrop
from storefront.erp.adapters.filedrop.folder import LocalFolder
from storefront.erp.adapters.filedrop.legacy.book import Book
from storefront.erp.adapters.filedrop.legacy.office import Office
from storefront.erp.adapters.filedrop.orders_file import write_orders
from tests.erp.adapters.filedrop.house import House
from tests.erp.adapters.filedrop.orders import batch, order
from tests.erp.adapters.filedrop.sender import numbered, run_and_kill

ROOT = Path(__file__).resolve().parents[4]
KILLS = 60
FORK = multiprocessing.get_context("fork")


def numbers_in(drop: Path) -> list[int]:
    return sorted(int(path.stem.removeprefix("orders-")) for path in drop.glob("orders-*.csv"))


@pytest.mark.parametrize("several", [1, 4])
def test_sixty_killed_senders_leave_whole_files_without_a_gap(drop: Path, several: int) -> None:
    seed = random.randrange(1_000_000)
    command = [
        sys.executable,
        "-m",
        "tests.erp.adapters.filedrop.sender",
        str(drop),
        str(KILLS),
        str(seed),
        str(several),
    ]

    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)

    assert told.returncode == 0, told.stderr
    sent = int(told.stdout)
    numbers = numbers_in(drop)
    assert numbers == list(range(1, len(numbers) + 1)), f"seed {seed}"
    assert 0 < sent <= len(numbers) <= sent + several, f"seed {seed}"  # the last may have been put and not marked
    for number in numbers:
        table = (drop / f"orders-{number:06}.csv").read_bytes()
        totals = json.loads((drop / f"orders-{number:06}.json").read_text())
        assert sha256(table).hexdigest() == totals["sha256"]
        assert table == write_orders(numbered(number))[0]


def test_what_a_killed_sender_left_is_sent_again_as_the_same_file(drop: Path) -> None:
    adapter = FileDrop(LocalFolder(drop))
    run_and_kill(lambda: _send_forever(adapter), 0.05)
    before = {path.name: path.read_bytes() for path in drop.glob("orders-*")}

    for number in range(1, len(numbers_in(drop)) + 2):
        adapter.submit(numbered(number))

    assert before
    assert before.items() <= {path.name: path.read_bytes() for path in drop.glob("orders-*")}.items()


def _send_forever(adapter: FileDrop) -> None:
    for number in range(1, 1_000_000):
        adapter.submit(numbered(number))


def test_two_senders_of_the_same_batches_make_one_file_each(drop: Path) -> None:
    with FORK.Pool(2) as pool:
        outcomes = pool.starmap(_send_all, [(drop, 0), (drop, 0)])

    assert set(outcomes) == {"sent"}
    assert numbers_in(drop) == list(range(1, 61))
    assert not list(drop.glob(".*"))


def test_of_two_senders_with_other_batches_of_the_same_numbers_one_gets_an_alarm(drop: Path) -> None:
    with FORK.Pool(2) as pool:
        outcomes = pool.starmap(_send_all, [(drop, 0), (drop, 1000)])

    assert "alarm" in outcomes
    for number in numbers_in(drop):
        table = (drop / f"orders-{number:06}.csv").read_bytes()
        assert sha256(table).hexdigest() == json.loads((drop / f"orders-{number:06}.json").read_text())["sha256"]


def test_of_two_who_put_the_same_names_one_has_each_and_his_content_stays(drop: Path) -> None:
    with FORK.Pool(2) as pool:
        first, second = pool.starmap(_put_all, [(drop, b"first"), (drop, b"second")])

    assert sorted(first + second) == sorted(f"{number}.csv" for number in range(200))
    assert {(drop / name).read_bytes() for name in first} <= {b"first"}
    assert {(drop / name).read_bytes() for name in second} <= {b"second"}


def _put_all(drop: Path, content: bytes) -> list[str]:
    """Put two hundred files; return the names that were free."""
    folder, mine = LocalFolder(drop), []
    for number in range(200):
        try:
            folder.put({f"{number}.csv": content})
            mine.append(f"{number}.csv")
        except FileExistsError:
            pass
    return mine


def _send_all(drop: Path, first_order: int) -> str:
    """Send sixty batches; `first_order` makes them others."""
    adapter = FileDrop(LocalFolder(drop))
    try:
        for number in range(1, 61):
            _send(adapter, batch(number, order(first_order + number)))
    except ErpAlarm:
        return "alarm"
    return "sent"


def _send(adapter: FileDrop, one: Batch) -> None:
    """As the delivery does: what could not be taken now is sent again."""
    while True:
        try:
            adapter.submit(one)
            return
        except ErpUnavailable:
            time.sleep(0.001)


def test_a_back_office_that_is_killed_anywhere_books_and_tells_everything_once(house: House, tmp_path: Path) -> None:
    drop = tmp_path / "house" / "drop"
    house.set_stock({"MUG": 1000, "CAP": 10_000})
    batches = [numbered(number) for number in range(1, 41)]
    for one in batches:
        house.adapter.submit(one)
    dice = random.Random(17)

    for _ in range(20):
        run_and_kill(lambda: _work_alone(drop), dice.uniform(0.005, 0.05))
    house.work()

    assert len(house.booked()) == sum(len(document.lines) for one in batches for document in one.documents)
    assert house.stock()["MUG"] == 1000 - 40 * 20
    acks = house.adapter.poll_acks(batches)
    assert [ack.sequence for ack in acks] == list(range(1, 41))
    assert {result.outcome for ack in acks for result in ack.results} == {"applied"}
    stock = sorted(int(path.stem.removeprefix("stock-")) for path in drop.glob("stock-*.csv"))
    assert stock == list(range(1, len(stock) + 1))


def _work_alone(drop: Path) -> None:
    book = Book(drop / ".legacy-erp.db")
    office = Office(drop, book)
    office.put_files()
    while True:
        office.import_orders()
        office.export_stock()
        office.export_booked()


def test_the_watching_program_works_until_it_is_told_to_end(tmp_path: Path) -> None:
    drop = tmp_path / "drop"
    adapter = FileDrop(LocalFolder(drop))
    adapter.submit(batch(1))
    products = tmp_path / "products.csv"
    products.write_text("Handle,Variant SKU,Variant Inventory Qty\nmug,MUG,5\n")
    office = subprocess.Popen(
        [*(sys.executable, "-m", "storefront.erp.adapters.filedrop.legacy", str(drop), "--watch"), "--stock", products],
        cwd=ROOT,
    )

    try:
        answers = _await_ack(adapter)
    finally:
        os.kill(office.pid, signal.SIGTERM)
        code = office.wait(10)

    assert answers == ["applied"]
    assert code == 0


def _await_ack(adapter: FileDrop) -> list[str]:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        for ack in adapter.poll_acks([batch(1)]):
            return [result.outcome for result in ack.results]
        time.sleep(0.05)
    pytest.fail("no acknowledgement came")
