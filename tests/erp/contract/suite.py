"""What holds for every adapter: the classes of tests/erp/adapters/*/test_contract.py have these tests, each its ERP."""

import json
import os
import random
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask

from storefront.core.config import PROJECT_ROOT, Settings
from storefront.erp import buffer, delivery, inbound
from storefront.erp.adapter import BookedLine
from storefront.erp.reconcile import reconcile
from storefront.stock.stockroom import Stockroom
from storefront.stock.verify import verify
from tests.cart.shelf import shelve, visitor
from tests.erp.contract.house import House
from tests.erp.contract.morning import Invoice, invoices
from tests.erp.contract.shop import NUMBERS, Shop
from tests.erp.contract.trouble import Troubled

DEATHS = int(os.environ.get("DEATHS", 4))  # `make chaos` asks for more


class Contract:
    """Needs a fixture `house`."""

    @pytest.fixture
    def shop(self, app: Flask, house: House) -> Shop:
        """Two SKUs, 500 units of each."""
        skus = [f"CONTRACT-{os.getpid()}-{next(NUMBERS)}-{letter}" for letter in "AB"]
        shelve(dict.fromkeys(skus, 500), price="0.35")
        house.set_stock(dict.fromkeys(skus, 500))
        return Shop(app, house, skus)

    @pytest.mark.only_on("sqlite")
    def test_every_order_arrives_once_though_three_calls_in_ten_fail(self, shop: Shop) -> None:
        orders = shop.order(40)
        troubled = Troubled(shop.house.adapter, random.Random(7))
        exchange = shop.exchange(troubled, batch_size=2)
        for _ in range(3):
            delivery.deliver(exchange, now=True)
            shop.house.work()
        for order in orders[::5]:
            shop.cancel(order)

        shop.deliver_all(exchange)

        assert shop.booked() == shop.sold()
        assert sum(shop.sold().values()) == 32
        assert troubled.met >= {"away", "timed out", "lost", "twice", "cut"}

    @pytest.mark.only_on("postgres")
    def test_every_order_arrives_once_though_its_sender_is_killed(
        self, shop: Shop, settings_of: Callable[..., Settings]
    ) -> None:
        shop.order(DEATHS * 5)

        died = killed(settings_of(), shop.house, DEATHS)
        shop.deliver_all(shop.exchange())

        assert died["lived"] == 0, died
        assert sum(died.values()) == DEATHS
        assert shop.booked() == shop.sold()
        assert shop.states() == {"applied": DEATHS * 5}

    @pytest.mark.only_on("sqlite")
    def test_what_the_erp_refuses_is_a_dead_letter_with_its_words_and_the_others_arrive(self, shop: Shop) -> None:
        shelve({f"{shop.skus[0]}-UNKNOWN": 5}, price="0.35")
        shop.order(10)
        known, shop.skus = shop.skus, [f"{shop.skus[0]}-UNKNOWN"] * 2
        bad = shop.order(1)[0]
        shop.skus = known
        shop.order(10)

        shop.deliver_all(shop.exchange(batch_size=50))

        (dead,) = buffer.dead_letters(shop.room)
        assert dead.order_id == bad["id"]
        assert f"{known[0]}-UNKNOWN" in dead.words
        assert len(shop.booked()) == 20

        shop.house.set_stock({f"{known[0]}-UNKNOWN": 5})  # the ERP is told of the article, and the letter goes again
        assert buffer.retry(shop.room, [dead.id]) == 1
        shop.deliver_all(shop.exchange())

        assert shop.booked() == shop.sold()

    @pytest.mark.only_on("sqlite")
    def test_a_cancelled_order_is_cancelled_there_and_its_units_come_back_by_the_figures(self, shop: Shop) -> None:
        first = shop.skus[0]
        shop.house.work()
        inbound.read_stock(shop.exchange(), now=True)
        order, other = shop.order(2)
        shop.deliver_all(shop.exchange())
        inbound.read_stock(shop.exchange(), now=True)

        shop.cancel(order)

        assert order["sku"] == first
        assert available(shop, first) == 500 - order["units"]  # the ERP might be shipping it
        shop.deliver_all(shop.exchange())
        inbound.read_stock(shop.exchange(), now=True)
        assert {sku: available(shop, sku) for sku in shop.skus} == {first: 500, shop.skus[1]: 500 - other["units"]}
        assert {sku: shop.house.stock()[sku] for sku in shop.skus} == {first: 500, shop.skus[1]: 500 - other["units"]}
        assert shop.booked() == shop.sold()
        assert verify(shop.room, 0) == []

    @pytest.mark.only_on("sqlite")
    def test_what_the_erp_receives_can_be_sold_and_what_it_does_not_know_of_stays_sold(self, shop: Shop) -> None:
        first = shop.skus[0]
        shop.order(1)
        shop.house.set_stock({first: 30})
        shop.house.work()

        done = inbound.read_stock(shop.exchange(), now=True)

        assert not done.error
        assert available(shop, first) == 29
        assert verify(shop.room, 0) == []

    @pytest.fixture
    def empty_house(self, house: House) -> House:
        """An ERP that has nothing of other tests."""
        return house

    @pytest.mark.only_on("sqlite")
    def test_a_morning_of_a_real_shop_is_on_the_books_to_the_last_cent(
        self, app: Flask, room: Stockroom, empty_house: House
    ) -> None:
        morning = list(invoices())
        skus = sorted({sku for one in morning for sku in one.units})
        shelve(dict.fromkeys(skus, 5000))
        empty_house.set_stock(dict.fromkeys(skus, 5000))
        shop = Shop(app, empty_house, skus)
        orders = [shop.place(one) for one in morning]
        shop.deliver_all(shop.exchange())
        for invoice, order in zip(morning, orders, strict=True):
            if invoice.is_return:
                shop.cancel(order)

        shop.deliver_all(shop.exchange())

        report = reconcile(shop.exchange())
        bought = [one for one in morning if not one.is_return]
        assert not report.found
        assert shop.booked() == shop.sold()
        assert sums(empty_house.booked()) == sums_of(bought)
        assert report.totals()["EUR"].erp.money == sum((one.total for one in bought), Decimal(0))

        number = next(order["id"] for one, order in zip(morning, orders, strict=True) if len(one.units) > 5)
        self.corrupt(empty_house, number, 3)
        empty_house.work()

        (found,) = reconcile(shop.exchange()).found
        assert (found.kind, found.order_id, found.line, found.fields) == ("different", number, 3, ["quantity"])

    def corrupt(self, house: Any, order_id: int, line: int) -> None:
        """Add a unit to a line on the ERP's books, behind everybody's back."""
        pytest.fail(f"{type(self).__module__} does not say how")


def sums(lines: Sequence[BookedLine]) -> dict[str, tuple[int, Decimal]]:
    """Units and money by SKU."""
    units: Counter[str] = Counter()
    money: defaultdict[str, Decimal] = defaultdict(Decimal)
    for line in lines:
        units[line.sku] += line.quantity
        money[line.sku] += line.quantity * line.unit_price
    return {sku: (units[sku], money[sku]) for sku in units}


def sums_of(morning: Sequence[Invoice]) -> dict[str, tuple[int, Decimal]]:
    """Units and money by SKU, as the file has them."""
    return sums(
        [BookedLine(0, 0, sku, units, one.prices[sku], "EUR") for one in morning for sku, units in one.units.items()]
    )


def available(shop: Shop, sku: str) -> int:
    return visitor(shop.app).get(f"/api/v1/stock?sku={sku}").get_json()["stock"][0]["available"]


def killed(settings: Settings, house: House, deaths: int) -> Counter[str]:
    """Let a sender be killed so often; return how often at which point. The ERP works meanwhile."""
    environ = {
        **os.environ, **house.environ, "DATABASE_URL": settings.database_url, "REDIS_URL": settings.redis_url or "",
        "DATA_DIR": str(settings.data_dir), "SECRET_KEY": "test", "APP_ENV": "development",
    }  # fmt: skip
    command: Sequence[str] = [sys.executable, "-m", "tests.erp.contract.mortal_sender", str(deaths), "1"]
    with subprocess.Popen(command, env=environ, cwd=PROJECT_ROOT, stdout=subprocess.PIPE, text=True) as process:
        for _ in range(600):
            house.work()
            try:
                process.wait(0.2)
                break
            except subprocess.TimeoutExpired:
                continue
        else:
            process.kill()
        assert process.stdout
        told = process.stdout.read()
    assert process.returncode == 0
    return Counter(json.loads(told))
