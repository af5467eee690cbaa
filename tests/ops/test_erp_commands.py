"""`flask erp …`: what an operator types, what he reads, and how it fails."""

import csv
import json
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy import text

from storefront.core.db import transaction
from storefront.core.tools import take
from storefront.erp import buffer, delivery, link
from storefront.erp.models import ROW_STATES
from storefront.ops import erp_commands
from storefront.stock.stockroom import Stockroom
from tests.cart.shelf import available
from tests.erp.office import Erp, open_erp

# On PostgreSQL the pages ask the same of the database.
pytestmark = pytest.mark.only_on("sqlite")


@pytest.fixture
def erp(app: Flask, tmp_path: Path) -> Iterator[Erp]:
    with open_erp(app, tmp_path) as erp:
        yield erp


@pytest.fixture
def flask(app: Flask, erp: Erp) -> Callable[..., Result]:
    """Run a `flask` command beside the shop and its ERP."""
    return lambda *arguments: app.test_cli_runner().invoke(args=list(arguments))


def told(result: Result, code: int = 0) -> dict[str, Any]:
    """What a command printed as JSON."""
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


def test_export_sends_at_once_and_names_the_files(erp: Erp, flask: Callable[..., Result]) -> None:
    erp.order(MUG=2)
    erp.order(CAP=1)

    early = told(flask("erp", "export", "--json"))
    sent = told(flask("erp", "export", "--now", "--json"))

    assert (early["batches"], early["backlog"]["waiting"]) == ([], 2)
    assert [(one["sequence"], one["documents"], one["state"], one["words"]) for one in sent["batches"]] == [
        (1, 2, "accepted", ["orders-000001.csv"])
    ]
    assert (sent["outcomes"], sent["backlog"]["accepted"], sent["error"]) == ({"accepted": 2}, 2, "")
    assert (erp.folder / "orders-000001.csv").exists()


def test_export_sends_batch_after_batch_and_hears_what_became_of_them(erp: Erp, flask: Callable[..., Result]) -> None:
    for _ in range(3):
        erp.order(MUG=1)
    object.__setattr__(take("exchange"), "batch_size", 1)

    sent = told(flask("erp", "export", "--now", "--json"))
    erp.work()
    heard = flask("erp", "export", "--now")

    assert [one["sequence"] for one in sent["batches"]] == [1, 2, 3]
    assert "Answers: 3 applied." in heard.output


def test_export_fails_and_names_what_the_erp_has_refused(erp: Erp, flask: Callable[..., Result]) -> None:
    erp.forget("CAP")
    order_id, *_ = erp.order(CAP=1)
    flask("erp", "export", "--now")
    erp.work()

    result = flask("erp", "export", "--now", "--json")
    again = flask("erp", "export", "--now")

    assert [(one["order_id"], one["words"]) for one in told(result, 1)["dead_letters"]] == [
        (order_id, "line 1: unknown SKU CAP")
    ]
    assert "the ERP has refused: dead letters 1" in result.stderr
    assert again.exit_code == 0


def test_export_fails_with_the_reason_where_the_erp_does_not_answer(erp: Erp, flask: Callable[..., Result]) -> None:
    erp.order(MUG=1)
    erp.break_drop()

    result = flask("erp", "export", "--now")

    assert result.exit_code == 1
    assert "did not answer as agreed: ErpUnavailable" in result.stderr
    assert buffer.backlog(take("stockroom")).applied == 0


def test_export_sends_what_is_ordered_meanwhile_too(
    erp: Erp, flask: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver, late = delivery.deliver, [1]

    def deliver_while_somebody_orders(*arguments: Any, **options: Any) -> Any:
        done = deliver(*arguments, **options)
        for _ in range(late.pop() if late else 0):
            erp.order(CAP=1)
        return done

    monkeypatch.setattr(delivery, "deliver", deliver_while_somebody_orders)
    erp.order(MUG=1)

    sent = told(flask("erp", "export", "--now", "--json"))

    assert [one["sequence"] for one in sent["batches"]] == [1, 2]
    assert sent["backlog"]["waiting"] == 0


def test_export_goes_on_once_another_process_is_done(erp: Erp, flask: Callable[..., Result]) -> None:
    erp.order(MUG=1)
    exchange, held = take("exchange"), Event()

    def hold() -> None:
        with link.leased(exchange.room, exchange.name, 60_000):
            held.set()
            time.sleep(0.5)

    with ThreadPoolExecutor(1) as other:
        other.submit(hold)
        held.wait(10)
        result = flask("erp", "export", "--now")

    assert result.exit_code == 0
    assert "Answers: 1 accepted." in result.output


def test_export_waits_for_another_process_and_says_so_in_the_end(
    erp: Erp, flask: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erp_commands, "PATIENCE_SECONDS", 0.5)
    exchange = take("exchange")

    with link.leased(exchange.room, exchange.name, 60_000):
        results = [flask("erp", "export", "--now"), flask("erp", "import")]

    assert [(one.exit_code, "another process is talking" in one.stderr) for one in results] == [(1, True), (1, True)]


def test_import_takes_in_what_the_erp_has_put_there(app: Flask, erp: Erp, flask: Callable[..., Result]) -> None:
    erp.set_stock(MUG=7, HAT=3)
    erp.work()

    done = told(flask("erp", "import", "--json"))
    again = flask("erp", "import")

    (snapshot,) = done["snapshots"]
    assert (snapshot["source"], snapshot["sequence"], snapshot["figures"]) == ("stock-000001.csv", 1, 3)
    assert (snapshot["changed"], snapshot["unknown"]) == (["MUG"], ["HAT"])
    assert available(app, "MUG") == 7
    assert (again.exit_code, again.stdout) == (0, "Nothing new was there to be taken in.\n")


def stock_file(folder: Path, number: int, *rows: str) -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / f"stock-{number:06d}.csv"
    file.write_text("\n".join(["sku,quantity", *rows, ""]))
    return file


@pytest.mark.parametrize("what, units", [("stock-000001.csv", 9), (".", 8)])
def test_import_takes_a_file_or_a_folder_from_elsewhere_and_leaves_it_there(
    app: Flask, erp: Erp, flask: Callable[..., Result], tmp_path: Path, what: str, units: int
) -> None:
    stock_file(tmp_path / "usb", 1, "MUG,9")
    stock_file(tmp_path / "usb", 2, "MUG,8")
    (tmp_path / "usb" / "archive").mkdir()

    first = flask("erp", "import", str(tmp_path / "usb" / what))
    again = flask("erp", "import", str(tmp_path / "usb" / what))

    assert (first.exit_code, available(app, "MUG")) == (0, units)
    assert again.output == "Nothing new was there to be taken in.\n"
    assert sorted(path.name for path in (tmp_path / "usb").rglob("*.csv")) == ["stock-000001.csv", "stock-000002.csv"]


def test_import_says_file_line_and_column_of_what_is_wrong_and_takes_the_rest(
    app: Flask, erp: Erp, flask: Callable[..., Result], tmp_path: Path
) -> None:
    file = stock_file(tmp_path / "usb", 1, "MUG,many", "CAP,8")

    result = flask("erp", "import", str(file))

    assert result.exit_code == 1
    assert "stock-000001.csv, line 2, column quantity: " in result.stdout
    assert available(app, "CAP") == 8
    assert available(app, "MUG") == 50


def test_import_stops_at_a_gap_until_it_is_accepted(
    app: Flask, erp: Erp, flask: Callable[..., Result], tmp_path: Path
) -> None:
    stock_file(tmp_path / "usb", 1, "MUG,9")
    flask("erp", "import", str(tmp_path / "usb"))
    third = stock_file(tmp_path / "usb", 3, "MUG,4")

    refused = flask("erp", "import", str(third))
    before = available(app, "MUG")
    accepted = flask("erp", "import", str(third), "--accept-gap")

    assert (refused.exit_code, before) == (1, 9)
    assert "stock-000002.csv is missing" in refused.stderr
    assert (accepted.exit_code, available(app, "MUG")) == (0, 4)


def test_import_refuses_a_file_that_ends_in_the_middle(
    app: Flask, erp: Erp, flask: Callable[..., Result], tmp_path: Path
) -> None:
    file = tmp_path / "stock-000001.csv"
    file.write_text("sku,quantity\nMUG,4")

    result = flask("erp", "import", str(file))

    assert (result.exit_code, available(app, "MUG")) == (1, 50)
    assert "not whole yet" in result.stderr


def test_import_refuses_what_is_no_stock_file(erp: Erp, flask: Callable[..., Result], tmp_path: Path) -> None:
    other = tmp_path / "figures.csv"
    other.write_text("sku,quantity\nMUG,4\n")

    results = [flask("erp", "import", str(path)) for path in (other, erp.folder, tmp_path / "none.csv")]

    assert [one.exit_code for one in results] == [1, 1, 2]
    assert "is not named like a stock file" in results[0].stderr
    assert "has no stock file" in results[1].stderr


def test_status_tells_of_everything(erp: Erp, flask: Callable[..., Result]) -> None:
    erp.forget("CAP")
    erp.order(CAP=1)
    erp.order(MUG=1)
    erp.sync()
    flask("erp", "import")
    erp.order(MUG=2)

    status = told(flask("erp", "status", "--json"))

    assert (status["adapter"], status["answers"], status["breaker"], status["alarm"]) == (
        "filedrop",
        True,
        "closed",
        "",
    )
    assert status["backlog"] == {state: int(state in ("waiting", "applied", "dead")) for state in ROW_STATES}
    assert (status["dead_letters"], status["problems"], status["unanswered_batches"]) == (1, 0, 0)
    assert 0 < status["oldest_unsent_seconds"] < 60
    assert status["last_snapshot"]["sequence"] == 1


def test_status_says_that_the_erp_is_away_and_is_no_failure(erp: Erp, flask: Callable[..., Result]) -> None:
    erp.break_drop()

    result = flask("erp", "status")

    assert result.exit_code == 0
    assert "THE ERP IS AWAY" in result.output
    assert told(flask("erp", "status", "--json"))["answers"] is False


def test_retry_sends_those_named_or_all_again(erp: Erp, flask: Callable[..., Result]) -> None:
    erp.forget("CAP")
    for _ in range(3):
        erp.order(CAP=1)
    erp.sync()

    first = told(flask("erp", "retry", "2", "--json"))
    rest = flask("erp", "retry")
    wrong = flask("erp", "retry", "99")

    assert first == {"retried": 1}
    assert rest.output == "2 will be sent again.\n"
    assert (wrong.exit_code, "unknown_row" in wrong.stderr) == (1, True)


def test_reconcile_is_quiet_where_both_agree(erp: Erp, flask: Callable[..., Result]) -> None:
    erp.order(MUG=2)
    erp.sync()

    result = flask("erp", "reconcile")

    assert result.exit_code == 0
    assert "shop: 1 lines, 2 units, 20.00 EUR" in result.output
    assert "The shop and the ERP agree." in result.output


def test_reconcile_names_the_line_and_both_values(erp: Erp, flask: Callable[..., Result], tmp_path: Path) -> None:
    erp.order(MUG=2)
    erp.sync()
    erp.change("UPDATE lines SET quantity = 3, sku = '=HYPERLINK()'")

    words = flask("erp", "reconcile", "--csv", str(tmp_path / "differences.csv"))
    data = told(flask("erp", "reconcile", "--json"), 1)

    with (tmp_path / "differences.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert words.exit_code == 1
    assert "different: order 1001, line 1: sku: shop MUG, ERP =HYPERLINK(), quantity: shop 2, ERP 3" in words.output
    assert (row["number"], row["fields"], row["shop_quantity"], row["erp_quantity"]) == (
        "1001",
        "sku quantity",
        "2",
        "3",
    )
    assert row["erp_sku"] == "'=HYPERLINK()"
    assert data["totals"][0]["difference"] == {"lines": 0, "units": -1, "money": "-10.00"}
    assert data["differences"][0]["erp"]["quantity"] == 3


def test_reconcile_compares_the_chosen_days_only(room: Stockroom, erp: Erp, flask: Callable[..., Result]) -> None:
    erp.order(MUG=1)
    erp.sync()
    erp.change("UPDATE lines SET quantity = 9")
    with transaction(room.engine) as session:
        session.execute(text("UPDATE orders SET created_at_ms = 1795392000000"))  # 2026-11-23T00:00Z

    that_day = ("--from", "2026-11-23", "--to", "2026-11-23")
    others = (("--to", "2026-11-22"), ("--from", "2026-11-24"), ("--from", "x"))
    codes = [flask("erp", "reconcile", *days).exit_code for days in (that_day, *others)]

    assert codes == [1, 0, 0, 2]


def test_reconcile_fails_where_the_books_cannot_be_read(erp: Erp, flask: Callable[..., Result]) -> None:
    shutil.rmtree(erp.folder)

    result = flask("erp", "reconcile")

    assert result.exit_code == 1
    assert "the ERP's books cannot be read" in result.stderr
