"""Everything there is to know about a SKU, written down when a violation is found."""

import json

from redis import Redis
from sqlalchemy import Connection, text

from storefront.stock import keys
from tests.chaos.truths import Violation

_TABLES = {
    "fence": "SELECT * FROM stock_fence",
    "level": "SELECT * FROM stock_levels WHERE sku = :sku",
    "last movements": "SELECT * FROM stock_movements WHERE sku = :sku ORDER BY id DESC LIMIT 12",
    "active reservations": "SELECT * FROM reservations WHERE sku = :sku AND state = 'active'",
    "last ended reservations": (
        "SELECT * FROM reservations WHERE sku = :sku AND state <> 'active' ORDER BY ended_at_ms DESC LIMIT 25"
    ),
}


class Evidence:
    """Reads it while everything stands still."""

    def __init__(self, redis: Redis, sql: Connection):
        self.redis = redis
        self.sql = sql

    def of(self, violation: Violation) -> str:
        """The state around `violation`, for people."""
        return "\n".join([*self._redis(violation.sku), *self._sql(violation.sku)])

    def _redis(self, sku: str) -> list[str]:
        level, holds, due, held, _ = keys.of(sku)
        found = {
            "server": self.redis.info("server")["run_id"],
            "epoch": self.redis.get(keys.EPOCH),
            "time": self.redis.time(),
            "level": self.redis.hgetall(level),
            "holds": self.redis.hgetall(holds),
            "due": self.redis.zrange(due, 0, -1, withscores=True),
            "held": self.redis.hgetall(held),
        }
        return [f"redis {name}: {json.dumps(value, default=str)}" for name, value in found.items()]

    def _sql(self, sku: str) -> list[str]:
        lines = []
        for name, query in _TABLES.items():
            for row in self.sql.execute(text(query), {"sku": sku} if ":sku" in query else {}):
                lines.append(f"sql {name}: {dict(row._mapping)}")
        return lines
