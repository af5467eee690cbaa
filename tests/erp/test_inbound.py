"""Reading the ERP's stock: when it is asked, for what, and what it says that cannot be."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from storefront.erp import inbound, link
from storefront.erp.adapter import ErpAlarm, ErpUnavailable, Problem, Snapshot, Wanted
from storefront.erp.exchange import Exchange
from storefront.erp.models import ErpProblem
from storefront.stock.events import shortfall_raised
from storefront.stock.levels import accounts
from storefront.stock.stockroom import Stockroom
from tests.cart.shelf import visitor
from tests.erp.history.house import TrueHouse

Order = Callable[..., list[int]]


@dataclass
class Asked(TrueHouse):
    """Remembers what it was asked for; `error` is raised instead of an answer."""

    error: Exception | None = None
    changed: Collection[str] | None = None
    wanted: list[Wanted] = field(default_factory=list)
    more: dict[str, Any] = field(default_factory=dict)

    def snapshot(self, wanted: Wanted) -> Snapshot | None:
        self.wanted.append(wanted)
        if self.error:
            raise self.error
        return replace(self.count(self.look()), **self.more)

    def changed_skus(self, since_ms: int) -> Collection[str] | None:
        return self.changed


def asked(exchange: Exchange, **more: Any) -> tuple[Exchange, Asked]:
    room = exchange.room
    erp = Asked("promisable", "applied_set", room.now_ms, shelf={"MUG": 20}, **more)
    return replace(exchange, adapter=erp), erp


def available(room: Stockroom) -> int | None:
    return accounts(room, ["MUG"])[0].available


def test_it_is_asked_no_oftener_than_said(exchange: Exchange, order: Order) -> None:
    exchange, erp = asked(replace(exchange, stock_seconds=60))

    for _ in range(3):
        inbound.read_stock(exchange)
    inbound.read_stock(exchange, now=True)

    assert len(erp.wanted) == 2


def test_it_is_asked_for_what_has_changed_and_now_and_then_for_all(
    exchange: Exchange, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbound, "ALL_EVERY_MS", 10**13)  # the present lasts until 2286
    order()
    exchange, erp = asked(exchange, changed=["MUG", "SPOON"])
    inbound.read_stock(exchange, now=True)
    inbound.read_stock(exchange, now=True)
    erp.changed = []
    inbound.read_stock(exchange, now=True)
    monkeypatch.setattr(inbound, "ALL_EVERY_MS", 1)
    inbound.read_stock(exchange, now=True)

    assert [list(wanted.skus) for wanted in erp.wanted] == [["MUG"], ["MUG"], ["MUG"]]


def test_a_sku_that_is_not_named_keeps_its_number_and_one_that_is_not_ours_is_told(
    exchange: Exchange, order: Order
) -> None:
    order()
    exchange, _ = asked(exchange, more={"figures": {"SPOON": 7}})

    done = inbound.read_stock(exchange, now=True)

    assert list(done.snapshots[0].unknown) == ["SPOON"]
    assert available(exchange.room) == 99


def test_lines_that_could_not_be_read_are_kept_and_the_others_count(exchange: Exchange, order: Order) -> None:
    order()
    bad = Problem("stock-1.csv", 3, "quantity", "is no whole number", "CAP,many")
    exchange, _ = asked(exchange, more={"problems": [bad]})

    inbound.read_stock(exchange, now=True)

    assert available(exchange.room) == 19
    with Session(exchange.room.engine) as session:
        (kept,) = session.scalars(select(ErpProblem))
    assert (kept.source, kept.line, kept.column, kept.raw) == ("stock-1.csv", 3, "quantity", "CAP,many")


def test_an_alarm_stays_until_something_is_taken_in_again_and_is_no_failure_of_the_link(
    exchange: Exchange, order: Order
) -> None:
    order()
    exchange, erp = asked(exchange, error=ErpAlarm("stock-2.csv is missing"))

    done = inbound.read_stock(exchange, now=True)

    there = link.look(exchange.room, "house")
    assert (done.alarm, there.alarm, there.failures) == ("stock-2.csv is missing", "stock-2.csv is missing", 0)
    assert available(exchange.room) == 99
    erp.error = None
    inbound.read_stock(exchange, now=True)
    assert link.look(exchange.room, "house").alarm == ""
    assert available(exchange.room) == 19


def test_an_erp_that_does_not_answer_is_left_alone_after_a_few_times(exchange: Exchange, order: Order) -> None:
    exchange, erp = asked(replace(exchange, stock_seconds=0), error=ErpUnavailable("away"))

    for _ in range(link.TRIPS_AT + 3):
        inbound.read_stock(exchange)

    assert len(erp.wanted) == link.TRIPS_AT


def test_a_figure_below_what_is_promised_shows_nothing_and_raises_a_shortfall(
    exchange: Exchange, order: Order, app: Any
) -> None:
    ids = order(5)
    told: list[tuple[str, int]] = []

    def hear(_sender: object, *, sku: str, units: int, **_: object) -> None:
        told.append((sku, units))

    shortfall_raised.connect(hear)
    exchange, _ = asked(exchange, more={"figures": {"MUG": 2}})
    inbound.read_stock(exchange, now=True)

    answer = visitor(app).get("/api/v1/stock?sku=MUG").get_json()["stock"][0]
    assert (answer["available"], answer["state"]) == (0, "sold_out")
    assert told == [("MUG", 3)]
    assert accounts(exchange.room, ["MUG"])[0].on_hand == 2
    assert len(ids) == 5
