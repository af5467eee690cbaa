"""What must hold after every step."""

import json
from typing import Any

from hypothesis.stateful import invariant

from storefront.stock import keys
from tests.stock.history.model import Shelf
from tests.stock.history.sight import InRedis, InSql, look_into_redis, look_into_sql
from tests.stock.history.stage import Stage


class Invariants(Stage):
    """Redis and SQL are as the model says, nothing is promised twice, and a page that listens shows the truth."""

    def __init__(self) -> None:
        super().__init__()
        self.began_ms = self.room.now_ms()
        self.shown = dict.fromkeys(self.skus, (0, 0))  # version, available
        self.page = dict.fromkeys(self.skus, (0, 0))  # the same, as it heard of it
        self.heard = self.room.unfenced.pubsub(ignore_subscribe_messages=True)
        self.heard.subscribe(keys.CHANNEL)
        self.heard.get_message(timeout=1)
        self._reload_page(look_into_redis(self.room, self.skus))

    def teardown(self) -> None:
        self.heard.close()

    @invariant()
    def all_is_well(self) -> None:
        in_redis, in_sql = look_into_redis(self.room, self.skus), look_into_sql(self.room.engine)
        self._listen(in_redis)
        self._check_rows(in_sql)
        for sku, shelf in self.model.shelves.items():
            self._check_level(sku, shelf, in_sql)
            if sku not in self.model.closed:
                self._check_redis(sku, shelf, in_redis[sku])
                self._check_promises(sku, shelf, in_redis[sku], in_sql)
                self._check_version(sku, in_redis[sku])

    def _check_rows(self, found: InSql) -> None:
        claims = {id: claim for id, claim in self.model.claims.items() if claim.state}
        own = {id: row for id, row in found.rows.items() if id in claims}
        others = [row for id, row in found.rows.items() if id not in claims]
        assert {id: _state(row) for id, row in own.items()} == {id: claim.state for id, claim in claims.items()}
        assert all(row.shopper == "" and row.state in ("sold", "released") for row in others)  # the operator's own
        for id in self.model.ids("active"):
            row, claim = own[id], claims[id]
            assert (row.shopper, row.sku, row.units) == (claim.shopper, claim.sku, claim.units)
            assert (self._seconds(row.expires_at_ms), row.extensions) == (claim.deadline, claim.extensions)

    def _seconds(self, at_ms: int) -> int:
        """A time as the model counts it; in full minutes, for the steps take some milliseconds too."""
        return (at_ms + self.moved_ms - self.began_ms) // 60_000 * 60

    def _check_level(self, sku: str, shelf: Shelf, found: InSql) -> None:
        level, committed = found.levels[sku], self.model.committed(sku)
        assert (level.on_hand, level.committed) == (shelf.on_hand, committed)
        assert level.shortfall == max(0, committed - shelf.on_hand)
        assert level.number == 1 + len(shelf.movements)

    def _check_redis(self, sku: str, shelf: Shelf, found: InRedis) -> None:
        holds = {id: claim.hold for id, claim in self.model.claims.items() if claim.sku == sku and claim.hold}
        assert found.available == self.model.free(sku)
        assert found.level["number"] == str(1 + shelf.applied)
        assert found.level.get("limit") == (None if shelf.limit is None else str(shelf.limit))
        assert found.holds == {id: hold.units for id, hold in holds.items()}
        assert {id: self._seconds(at_ms) for id, at_ms in found.due.items()} == {
            id: hold.deadline for id, hold in holds.items()
        }
        assert found.held == self.model.held(sku)
        assert found.bought == ({} if shelf.limit is None else self.model.bought(sku))

    def _check_promises(self, sku: str, shelf: Shelf, in_redis: InRedis, in_sql: InSql) -> None:
        """Whatever the model thinks: Redis has nothing to give away that is promised, or not there.

        But for a loss that it has not heard of yet, which is a fact and may become a shortfall.
        """
        level = in_sql.levels[sku]
        active = sum(row.units for row in in_sql.rows.values() if row.sku == sku and row.state == "active")
        lost = sum(min(movement.units, 0) for movement in shelf.movements[shelf.applied :])
        assert in_redis.available <= level.on_hand - level.committed - active - lost

    def _check_version(self, sku: str, found: InRedis) -> None:
        """It stands for one number and never falls; and a page that listens has heard of it."""
        now = found.version, found.available
        assert now[0] > self.shown[sku][0] or now == self.shown[sku]
        assert self.page[sku] == (now[0], max(now[1], 0))
        self.shown[sku] = now

    def _listen(self, in_redis: dict[str, InRedis]) -> None:
        self.heard.ping()
        while (message := self.heard.get_message(timeout=5)) and message["type"] == "message":
            news = json.loads(message["data"])
            if "rebuilt" in news:
                self._reload_page(in_redis)
            elif news["version"] > self.page[news["sku"]][0]:
                self.page[news["sku"]] = news["version"], news["available"]

    def _reload_page(self, in_redis: dict[str, InRedis]) -> None:
        for sku, found in in_redis.items():
            self.page[sku] = found.version, max(found.available, 0)


def _state(row: Any) -> str:
    return row.state if row.units else "withdrawn"
