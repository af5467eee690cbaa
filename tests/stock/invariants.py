"""What must hold after every step of a random history (see test_model.py)."""

import json
from typing import Any

from hypothesis.stateful import RuleBasedStateMachine, invariant
from sqlalchemy import delete

from storefront.core.db import transaction
from storefront.stock import adjustments, keys, ledger
from storefront.stock.models import Reservation, StockLevel, StockMovement
from storefront.stock.stockroom import Stockroom
from storefront.stock.verify import verify
from tests.stock.model import Model, Shelf


class WatchedStock(RuleBasedStateMachine):
    """Two processes over one stock, the model, and a page that listens; each history starts afresh."""

    rooms: tuple[Stockroom, Stockroom]

    def __init__(self) -> None:
        super().__init__()
        self.room = self.rooms[0]
        self.model = Model({"MUG": Shelf(6, limit=4), "CAP": Shelf(4)})
        self.seen: dict[str, tuple[int, int]] = {"MUG": (0, 0), "CAP": (0, 0)}  # version, available
        self.clicks = 0
        self.page: dict[str, tuple[int, int]] = {}
        self._start_over()
        self.heard = self.room.unfenced.pubsub(ignore_subscribe_messages=True)
        self.heard.subscribe(keys.CHANNEL)
        self.heard.get_message(timeout=1)
        self._reload_page()

    def _start_over(self) -> None:
        self.room.unfenced.flushall()
        with transaction(self.room.engine) as session:
            for table in (Reservation, StockMovement, StockLevel):
                session.execute(delete(table))
            ledger.open_levels(session, {sku: shelf.on_hand for sku, shelf in self.model.shelves.items()}, 0)
        adjustments.set_limit(self.room, "MUG", 4)

    def teardown(self) -> None:
        self.heard.close()

    @invariant()
    def redis_shows_what_the_model_has(self) -> None:
        for sku in self.model.shelves:
            now = self._now(sku)[1]
            assert now <= self.model.shown(sku) if self.model.lagging else now == self.model.available(sku)

    @invariant()
    def at_rest_everything_adds_up(self) -> None:
        if not self.model.lagging:
            assert verify(self.room, 0) == []
            holds = {id: int(hold.split(":")[0]) for sku in self.model.shelves for id, hold in self._holds(sku).items()}
            assert holds == self.model.active()

    @invariant()
    def a_version_stands_for_one_number_and_never_falls(self) -> None:
        for sku, (version, available) in self.seen.items():
            now = self._now(sku)
            assert now[0] > version or now == (version, available)
            self.seen[sku] = now

    @invariant()
    def a_page_that_listens_shows_the_truth(self) -> None:
        self.heard.ping()
        while (message := self.heard.get_message(timeout=5)) and message["type"] == "message":
            news = json.loads(message["data"])
            if "rebuilt" in news:
                self._reload_page()
            elif news["version"] > self.page[news["sku"]][0]:
                self.page[news["sku"]] = news["version"], news["available"]
        for sku in self.model.shelves:
            version, available = self._now(sku)
            assert self.page[sku] == (version, max(available, 0))

    def _holds(self, sku: str) -> dict[Any, Any]:
        return self.room.unfenced.hgetall(keys.holds(sku))

    def _now(self, sku: str) -> tuple[int, int]:
        version, available = self.room.unfenced.hmget(keys.level(sku), "version", "available")
        return int(version or 0), int(available or 0)

    def _reload_page(self) -> None:
        for sku in self.model.shelves:
            version, available = self._now(sku)
            self.page[sku] = version, max(available, 0)
