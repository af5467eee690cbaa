"""What Redis and SQL have, each read in one go."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, text

from storefront.stock import keys
from storefront.stock.stockroom import Stockroom

_ROWS = text("SELECT id, shopper, sku, units, state, expires_at_ms, extensions FROM reservations")
_LEVELS = text("SELECT sku, on_hand, committed, shortfall, number FROM stock_levels")


@dataclass(frozen=True)
class InRedis:
    """What Redis has of a SKU; `due`: deadlines in ms."""

    level: dict[str, str]
    holds: dict[str, int]
    due: dict[str, int]
    held: dict[str, int]
    bought: dict[str, int]

    @property
    def version(self) -> int:
        return int(self.level["version"])

    @property
    def available(self) -> int:
        return int(self.level["available"])


def look_into_redis(room: Stockroom, skus: Sequence[str]) -> dict[str, InRedis]:
    pipeline = room.unfenced.pipeline(transaction=False)
    for sku in skus:
        pipeline.hgetall(keys.level(sku))
        pipeline.hgetall(keys.holds(sku))
        pipeline.zrange(keys.due(sku), 0, -1, withscores=True)
        pipeline.hgetall(keys.held(sku))
        pipeline.hgetall(keys.bought(sku))
    answers = iter(pipeline.execute())
    return {sku: _in_redis(*(next(answers) for _ in range(5))) for sku in skus}


def _in_redis(level: Any, holds: Any, due: Any, held: Any, bought: Any) -> InRedis:
    return InRedis(
        level=level,
        holds={id: int(hold.partition(":")[0]) for id, hold in holds.items()},
        due={id: int(deadline_ms) for id, deadline_ms in due},
        held={shopper: int(units) for shopper, units in held.items()},
        bought={shopper: int(units) for shopper, units in bought.items()},
    )


@dataclass(frozen=True)
class InSql:
    """All reservations by id, all levels by SKU."""

    rows: dict[str, Any]
    levels: dict[str, Any]


def look_into_sql(engine: Engine) -> InSql:
    with engine.connect() as connection:
        rows = {row.id: row for row in connection.execute(_ROWS)}
        return InSql(rows, {level.sku: level for level in connection.execute(_LEVELS)})
