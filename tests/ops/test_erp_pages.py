"""The ERP at /ops/erp/: what an operator sees and does there, behind the login, with forms."""

import csv
import io
import re
import sys
from base64 import b64decode
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from storefront import create_app
from storefront.core.config import Settings
from storefront.core.db import transaction
from storefront.core.tools import take
from storefront.erp import buffer, link
from storefront.erp.documents import Event, encode
from storefront.erp.models import BufferRow, ErpDocument, ErpProblem
from storefront.stock import adjustments
from storefront.stock.stockroom import Stockroom
from tests.cart.shelf import ORIGIN, available, visitor
from tests.erp.office import Erp, open_erp
from tests.ops.test_sale_pages import Operator, figures

pytestmark = pytest.mark.only_on("sqlite")
BOTH = pytest.mark.only_on("sqlite", "postgres")

PAGES = ["", "letters", "letters/1", "problems", "shortfalls", "reconciliation", "reconciliation.json", "events"]
CHANGES = [
    "send",
    "read",
    "accept-gap",
    "events/1/replay",
    "letters/retry",
    "letters/1/retry",
    "problems/put-away",
    "problems/1/put-away",
]
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def erp(app: Flask, tmp_path: Path) -> Iterator[Erp]:
    with open_erp(app, tmp_path) as erp:
        yield erp


@pytest.fixture
def shop(erp: Erp, settings_of: Callable[..., Settings]) -> Flask:
    """A shop with open ops pages."""
    return create_app(settings_of(OPS_USERNAME="grace", OPS_PASSWORD="secret"))


@pytest.fixture
def grace(shop: Flask) -> Operator:
    return Operator(shop)


def words_of(page: str) -> str:
    """What can be read on a page, in one line."""
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def rows(room: Stockroom) -> list[BufferRow]:
    with Session(room.engine) as session:
        return list(session.scalars(select(BufferRow).order_by(BufferRow.id)))


def refused_order(erp: Erp) -> int:
    """An order of a CAP that the ERP has refused."""
    erp.forget("CAP")
    order_id, *_ = erp.order(CAP=1)
    erp.sync()
    return order_id


def test_an_empty_shop_shows_that_nothing_has_happened_yet(erp: Erp, grace: Operator) -> None:
    page = words_of(grace.see("/ops/erp/"))

    assert "Nothing has been exchanged yet." in page
    assert "None yet. Orders go out in batches" in page
    assert 'href="/ops/erp/"' in grace.see("/ops/")
    assert "Somebody has to look at this" not in grace.see("/ops/")


@BOTH
def test_send_now_sends_and_the_page_shows_batch_and_counts(erp: Erp, grace: Operator) -> None:
    erp.order(MUG=1)
    erp.order(CAP=2)
    before = figures(grace.see("/ops/erp/"))

    page = grace.send("/ops/erp/", "/ops/erp/send")

    assert (before["Not sent yet"], figures(page)["Not sent yet"]) == ("2", "0")
    assert "Batches sent: 1. Answers: 2 accepted." in page
    assert "Batch 1 · 2 placed" in words_of(page)
    assert (erp.folder / "orders-000001.csv").exists()


def test_batches_are_paged_the_newest_first(room: Stockroom, erp: Erp, grace: Operator) -> None:
    with transaction(room.engine) as session:
        session.execute(
            text(
                "INSERT INTO erp_batches (id, adapter, sequence, kind, members, content_hash, documents, state,"
                " created_at_ms, due_at_ms, tries, words)"
                " VALUES (:id, 'filedrop', :n, :kind, '[]', '', 1, 'done', :n, 0, 1, '')"
            ),
            [{"id": f"batch-{number}", "n": number, "kind": "placed"} for number in range(1, 46)]
            + [{"id": "batch-of-events", "n": 99, "kind": "stock.low"}],
        )

    pages = [grace.see(f"/ops/erp/?page={page}") for page in (1, 2, 3)]
    events = grace.see("/ops/erp/?channel=events")

    found = [[int(number) for number in re.findall(r"<h3>Batch (\d+)", page)] for page in pages]
    assert found == [list(range(45, 25, -1)), list(range(25, 5, -1)), [5, 4, 3, 2, 1]]
    assert re.findall(r"<h3>Batch (\d+)", events) == ["99"]
    assert ["Newer" in page for page in pages] == [False, True, True]
    assert ["Older" in page for page in pages] == [True, True, False]


def test_an_erp_that_is_away_is_told_of_and_so_is_how_long_orders_wait(
    room: Stockroom, erp: Erp, grace: Operator
) -> None:
    erp.order(MUG=1)
    with transaction(room.engine) as session:
        session.execute(text("UPDATE erp_buffer SET created_at_ms = created_at_ms - 540000"))
    erp.break_drop()

    for _ in range(link.TRIPS_AT):
        page = grace.send("/ops/erp/", "/ops/erp/send")

    assert "The ERP did not answer as agreed. ErpUnavailable" in page
    assert "Nothing is sent until" in words_of(page)
    assert "waits for 9 min" in words_of(page)
    assert "The oldest order that has not reached the ERP waits for 9 minutes." in grace.see("/ops/")


def test_a_link_that_is_taken_is_told_of(erp: Erp, grace: Operator) -> None:
    exchange = take("exchange")

    with link.leased(exchange.room, exchange.name, 60_000):
        pages = [grace.send("/ops/erp/", f"/ops/erp/{what}") for what in ("send", "read")]

    assert ["Another process is talking to the ERP" in page for page in pages] == [True, True]


def put_stock(erp: Erp, number: int, *lines: str) -> None:
    (erp.folder / f"stock-{number:06d}.csv").write_text("\n".join(["sku,quantity", *lines, ""]))


def test_read_now_takes_stock_in(app: Flask, erp: Erp, grace: Operator) -> None:
    put_stock(erp, 1, "MUG,7", "GHOST,1")

    page = grace.send("/ops/erp/", "/ops/erp/read")
    again = grace.send("/ops/erp/", "/ops/erp/read")

    assert "Taken in: stock-000001.csv. SKUs changed: 1." in page
    assert "It named SKUs that the shop does not sell: GHOST" in page
    assert "There is nothing new." in again
    assert available(app, "MUG") == 7


def test_a_gap_is_an_alarm_everywhere_until_somebody_accepts_it(app: Flask, erp: Erp, grace: Operator) -> None:
    put_stock(erp, 1, "MUG,7")
    grace.send("/ops/erp/", "/ops/erp/read")
    put_stock(erp, 3, "MUG,4")

    alarmed, console = grace.send("/ops/erp/", "/ops/erp/read"), grace.see("/ops/")
    before = available(app, "MUG")
    accepted = grace.send("/ops/erp/", "/ops/erp/accept-gap")

    assert "No stock comes in" in alarmed
    assert "stock-000002.csv is missing" in alarmed
    assert "No stock comes in from the ERP (filedrop): stock-000002.csv is missing" in console
    assert (before, available(app, "MUG")) == (7, 4)
    assert "No stock comes in" not in accepted


@BOTH
def test_dead_letters_show_the_words_of_the_erp_and_are_sent_again(room: Stockroom, erp: Erp, grace: Operator) -> None:
    refused_order(erp)
    before = grace.see("/ops/erp/letters")
    erp.set_stock(CAP=5)

    page = grace.send("/ops/erp/letters", "/ops/erp/letters/1/retry")
    twice = grace.send("/ops/erp/", "/ops/erp/letters/1/retry")
    erp.sync()

    assert "line 1: unknown SKU CAP" in before
    assert "Dead letters, which the ERP has refused: 1." not in grace.see("/ops/")
    assert "It will be sent again." in page
    assert "only a dead letter can be sent again" in twice
    assert [row.state for row in rows(room)] == ["applied"]


def test_all_dead_letters_are_sent_again_at_once(room: Stockroom, erp: Erp, grace: Operator) -> None:
    erp.forget("CAP")
    for _ in range(3):
        erp.order(CAP=1)
    erp.sync()
    console = grace.see("/ops/")

    page = grace.send("/ops/erp/letters", "/ops/erp/letters/retry")

    assert "Dead letters, which the ERP has refused: 3." in console
    assert "Sent again: 3." in page
    assert {row.state for row in rows(room)} == {"waiting"}


def edits(page: str) -> dict[str, str]:
    """The fields of the form as they stand on the page."""
    found = re.findall(r'<input[^>]* name="(\w+)"[^>]*>', page)
    return {name: (re.search(rf'name="{name}"[^>]* value="([^"]*)"', page) or ["", ""])[1] for name in found}


def test_a_dead_letter_is_changed_for_the_erp_alone(room: Stockroom, erp: Erp, grace: Operator) -> None:
    refused_order(erp)
    fields = edits(grace.see("/ops/erp/letters/1"))
    del fields["csrf_token"]

    page = grace.send("/ops/erp/letters/1", "/ops/erp/letters/1", **{**fields, "city": " Neu-Ulm "})

    (row,) = rows(room)
    assert (row.state, row.edits, row.edited_by) == ("waiting", {"city": "Neu-Ulm"}, "grace")
    assert "It is changed for the ERP, and will be sent again." in page
    with Session(room.engine) as session:
        assert session.scalar(text("SELECT city FROM orders")) == "Ulm"


@pytest.mark.parametrize("wrong, words", [
    ({"city": ""}, "Give one."), ({"country": "GER"}, "Give two letters"), ({"postal_code": "9" * 21}, "At most 20"),
])  # fmt: skip
def test_what_is_wrong_in_a_change_is_said_and_nothing_is_sent(
    room: Stockroom, erp: Erp, grace: Operator, wrong: dict[str, str], words: str
) -> None:
    refused_order(erp)
    fields = edits(grace.see("/ops/erp/letters/1"))
    del fields["csrf_token"]

    page = grace.send("/ops/erp/letters/1", "/ops/erp/letters/1", **{**fields, "name": "Ann Other", **wrong})

    assert words in page
    assert "Ann Other" in page
    assert [row.state for row in rows(room)] == ["dead"]


def test_a_letter_that_is_no_dead_one_is_not_shown(erp: Erp, grace: Operator) -> None:
    erp.order(MUG=1)

    answers = [grace.browser.get(f"/ops/erp/letters/{row}").status_code for row in (1, 99)]

    assert answers == [409, 404]


@BOTH
def test_problems_name_their_place_and_are_put_away(room: Stockroom, erp: Erp, grace: Operator) -> None:
    put_stock(erp, 1, f"MUG,{HOSTILE}", "CAP,many", "=1+1,4")
    grace.send("/ops/erp/", "/ops/erp/read")
    before = grace.see("/ops/erp/problems")

    one = grace.send("/ops/erp/problems", "/ops/erp/problems/1/put-away")
    rest = grace.send("/ops/erp/problems", "/ops/erp/problems/put-away")

    assert "stock-000001.csv, line 2, quantity" in before
    assert "CAP,many" in before
    assert HOSTILE not in before
    assert ("Put away: 1." in one, "Put away: 2." in rest) == (True, True)
    with Session(room.engine) as session:
        assert set(session.scalars(select(ErpProblem.seen_by))) == {"grace"}


def test_what_the_erp_says_is_shown_as_text_and_not_at_any_length(room: Stockroom, erp: Erp, grace: Operator) -> None:
    refused_order(erp)
    with transaction(room.engine) as session:
        session.execute(text("UPDATE erp_buffer SET words = :words"), {"words": HOSTILE + "long " * 400})
        session.execute(text("UPDATE erp_links SET error = :words, alarm = :words"), {"words": HOSTILE + "long " * 400})

    pages = [grace.see(path) for path in ("/ops/erp/letters", "/ops/erp/letters/1", "/ops/erp/", "/ops/")]

    assert [HOSTILE in page for page in pages] == [False] * 4
    assert ["&lt;script&gt;alert(1)" in page for page in pages] == [True] * 4
    assert max(page.count("long ") for page in pages) < 400


@BOTH
def test_shortfalls_name_the_youngest_orders_at_risk(room: Stockroom, erp: Erp, grace: Operator) -> None:
    for _ in range(2):
        erp.order(MUG=20)
    adjustments.adjust(room, "MUG", -30, "burnt", force=True)

    page, console = words_of(grace.see("/ops/erp/shortfalls")), grace.see("/ops/")

    assert "MUG 20 short" in page
    assert "Order 1002 20 units" in page
    assert "Order 1001" not in page
    assert "Units that are promised and not there: 20." in console


@BOTH
def test_the_reconciliation_shows_both_sides_and_draws_them(erp: Erp, grace: Operator) -> None:
    erp.order(MUG=2)
    erp.sync()

    page = grace.see("/ops/erp/reconciliation")

    assert "Yes, to the last cent." in page
    assert figures(page)["The shop"] == figures(page)["The ERP"] == "1 line, 2 units, 20.00 EUR"
    chart = re.search(
        r'<img class="chart" alt="Units per day[^"]+"[^>]* src="data:image/svg\+xml;base64,([^"]+)"', page
    )
    assert chart
    picture = b64decode(chart[1]).decode()
    assert picture.startswith("<svg")
    assert "<script" not in picture
    assert "http:" not in picture.replace("http://www.w3.org", "").replace("<!--http:", "")


def test_the_reconciliation_names_what_differs_and_can_be_taken_along(erp: Erp, grace: Operator) -> None:
    erp.order(MUG=2)
    erp.sync()
    erp.change(f"UPDATE lines SET quantity = 3, sku = '=1+1{HOSTILE}'")

    page = grace.see("/ops/erp/reconciliation")
    data = grace.browser.get("/ops/erp/reconciliation.json")
    differences, days = (
        list(csv.DictReader(io.StringIO(grace.browser.get(f"/ops/erp/{name}.csv").text)))
        for name in ("reconciliation", "reconciliation-days")
    )

    assert "1 line differs: 1 different." in words_of(page)
    assert "Shop 2 × MUG at 10.00 EUR ERP 3 ×" in words_of(page)
    assert HOSTILE not in page
    assert data.get_json()["differences"][0]["fields"] == ["sku", "quantity"]
    assert data.headers["Content-Disposition"] == 'attachment; filename="reconciliation.json"'
    assert [(row["kind"], row["erp_sku"], row["erp_quantity"]) for row in differences] == [
        ("different", f"'=1+1{HOSTILE}", "3")
    ]
    assert sorted((row["sku"], row["shop_units"], row["erp_units"]) for row in days) == [
        (f"'=1+1{HOSTILE}", "0", "3"), ("MUG", "2", "0"),
    ]  # fmt: skip


def test_the_reconciliation_is_about_the_chosen_days(room: Stockroom, erp: Erp, grace: Operator) -> None:
    erp.order(MUG=2)
    erp.sync()
    with transaction(room.engine) as session:
        session.execute(text("UPDATE orders SET created_at_ms = 1795392000000"))  # 2026-11-23T00:00Z

    pages = [grace.see(f"/ops/erp/reconciliation?from={day}&to={day}") for day in ("2026-11-22", "2026-11-23", "soon")]

    assert ["2026-11-23</th>" in page for page in pages] == [False, True, False]
    assert "A day has to be written like" in pages[2]


def test_books_that_cannot_be_read_are_told_of(erp: Erp, grace: Operator) -> None:
    page = grace.see("/ops/erp/reconciliation")
    download = grace.browser.get("/ops/erp/reconciliation.csv")

    assert "The books of the ERP cannot be read." in page
    assert download.status_code == 503


@pytest.fixture
def event(room: Stockroom) -> Callable[..., None]:
    """Put an event into the buffer: `event("stock.low", state="dead")`."""

    def put(topic: str, **fields: Any) -> None:
        with transaction(room.engine) as session:
            row = BufferRow(version=1, kind=topic, channel="events", created_at_ms=1, **fields)
            session.add(ErpDocument(row=row, revision=1, text=encode(Event("event-1", topic, 1, {"sku": HOSTILE}))))

    return put


def test_dead_letters_of_events_are_shown_in_a_channel_of_their_own(
    room: Stockroom, erp: Erp, grace: Operator, event: Callable[..., None]
) -> None:
    refused_order(erp)
    without = grace.see("/ops/erp/")
    event("stock.low", state="dead", words="410 Gone")

    events, orders = grace.see("/ops/erp/letters?channel=events"), grace.see("/ops/erp/letters")
    console = grace.see("/ops/")
    grace.send("/ops/erp/letters?channel=events", "/ops/erp/letters/retry?channel=events")

    assert "?channel=events" not in without
    assert ("410 Gone" in events, "410 Gone" in orders) == (True, False)
    assert "the ERP has refused: 1." in console
    assert "Events that nobody has taken: 1." in console
    assert (buffer.backlog(room, "events").dead, buffer.backlog(room).dead) == (0, 1)
    assert grace.browser.get("/ops/erp/?channel=none").status_code == 404


@BOTH
def test_the_log_of_events_sends_one_again_that_was_delivered(
    room: Stockroom, erp: Erp, grace: Operator, event: Callable[..., None]
) -> None:
    for topic in ("stock.low", "stock.out"):
        event(topic, state="applied", words="200")
    event("stock.back", state="waiting")

    page = grace.see("/ops/erp/events")
    sent = grace.send("/ops/erp/events", "/ops/erp/events/1/replay")
    early = grace.send("/ops/erp/events", "/ops/erp/events/3/replay")

    assert re.findall(r"<h3>([\w.]+)", page) == ["stock.back", "stock.out", "stock.low"]
    assert re.findall(r"events/(\d+)/replay", page) == ["2", "1"]
    assert HOSTILE not in page
    assert "The event will be sent again." in sent
    assert "has not been delivered yet" in early
    assert [row.state for row in rows(room)] == ["waiting", "applied", "waiting"]


def test_without_the_token_of_the_page_nothing_is_changed(room: Stockroom, erp: Erp, grace: Operator) -> None:
    refused_order(erp)
    erp.order(MUG=1)
    put_stock(erp, 1, "MUG,7", "CAP,many")

    answers = [
        [grace.browser.post(f"/ops/erp/{path}", headers=headers) for path in CHANGES]
        for headers in ({}, {"Origin": "https://evil.example"}, {"Origin": ORIGIN})
    ]

    assert {answer.status_code for some in answers[:2] for answer in some} == {403}
    assert [row.state for row in rows(room)] == ["dead", "waiting"]
    assert (erp.folder / "stock-000001.csv").exists()
    assert grace.see("/ops/erp/").count("The page was too old.") == len(CHANGES)


def test_nobody_sees_it_without_the_login(shop: Flask) -> None:
    somebody = visitor(shop)

    answers = [ask(f"/ops/erp/{path}").status_code for path in PAGES for ask in (somebody.get, somebody.post)]

    assert set(answers) == {401}


def test_what_draws_the_chart_leaves_the_import_system_as_it_was() -> None:
    import_module("storefront.ops.erp_chart")

    assert [finder for finder in sys.meta_path if not hasattr(finder, "find_spec")] == []
