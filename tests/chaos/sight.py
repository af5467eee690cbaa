"""What the checker sees: Redis and SQL at one moment, read past the shop's own code where that could hide a fault."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from redis import Redis
from sqlalchemy import Connection, Row, bindparam, text

from storefront.stock import keys, scripts
from tests.chaos.promises import HoldPromise

_LEVELS = text(
    "SELECT l.sku, l.on_hand, l.committed, l.unavailable, l.shortfall, l.number,"
    " (SELECT coalesce(sum(r.units), 0) FROM reservations r WHERE r.sku = l.sku AND r.state = 'active') AS active,"
    " (SELECT coalesce(sum(i.quantity), 0) FROM order_lines i JOIN orders o ON o.id = i.order_id"
    "   WHERE i.sku = l.sku AND o.status = 'placed') AS ordered,"
    " (SELECT coalesce(sum(m.on_hand), 0) FROM stock_movements m WHERE m.sku = l.sku) AS moved_on_hand,"
    " (SELECT coalesce(sum(m.committed), 0) FROM stock_movements m WHERE m.sku = l.sku) AS moved_committed,"
    " (SELECT coalesce(sum(m.unavailable), 0) FROM stock_movements m WHERE m.sku = l.sku) AS moved_unavailable,"
    " (SELECT count(m.number) FROM stock_movements m WHERE m.sku = l.sku) AS numbered"
    " FROM stock_levels l ORDER BY l.sku"
)
_FENCE = text("SELECT epoch, run_id FROM stock_fence")
_RESERVATIONS = text(
    "SELECT id, sku, units, state, created_at_ms, expires_at_ms, ended_at_ms, cause FROM reservations WHERE id IN :ids"
).bindparams(bindparam("ids", expanding=True))
_ORDERS = text("SELECT token, id, shopper, status, total FROM orders WHERE token IN :tokens").bindparams(
    bindparam("tokens", expanding=True)
)
_UNLIKE_ORDERS = text(  # orders whose lines are not what was sold to them, or not what the ledger says
    "WITH line AS (SELECT order_id, sku, sum(quantity) AS units FROM order_lines GROUP BY order_id, sku),"
    " sold AS (SELECT cause, sku, sum(units) AS units FROM reservations WHERE state = 'sold' GROUP BY cause, sku),"
    " moved AS (SELECT cause, sku, sum(committed) AS units FROM stock_movements GROUP BY cause, sku)"
    " SELECT o.id, line.sku, o.status, line.units AS ordered, sold.units AS sold, moved.units AS committed"
    " FROM orders o JOIN line ON line.order_id = o.id"
    " LEFT JOIN sold ON sold.cause = 'order:' || o.id AND sold.sku = line.sku"
    " LEFT JOIN moved ON moved.cause = 'order:' || o.id AND moved.sku = line.sku"
    " WHERE coalesce(sold.units, 0) <> line.units"
    " OR coalesce(moved.units, 0) <> CASE WHEN o.status = 'placed' THEN line.units ELSE 0 END"
)
_KEYS = text("SELECT shopper, key, answer FROM idempotency_keys WHERE status = 201")
_ORDER_IDS = text("SELECT id FROM orders")
_REASONS = text("SELECT reason FROM stock_movements WHERE cause = 'operator'")


@dataclass(frozen=True)
class InRedis:
    """The numbers of one SKU in Redis."""

    available: int | None
    epoch: int
    holds: dict[str, int]


@dataclass(frozen=True)
class Sight:
    """One moment of the shop, with all its processes standing still."""

    now_ms: int  # the latest that Redis has ever shown
    epoch: int
    gate_open: bool
    levels: Sequence[Row]
    redis: dict[str, InRedis]
    journalled: set[str]  # of the holds in Redis
    reservations: dict[str, Row]  # of those that were promised
    orders: dict[str, Row]  # by token, of those that were promised


def look(
    redis: Redis, sql: Connection, latest_ms: int, promised: Mapping[str, HoldPromise], tokens: Iterable[str]
) -> Sight:
    """Read it all.

    latest_ms: a time that Redis showed earlier, in case its clock has gone back since.
    promised, tokens: the reservations and orders to look for.
    """
    levels = sql.execute(_LEVELS).all()
    fence = sql.execute(_FENCE).one()
    in_redis = _read_redis(redis, [level.sku for level in levels])
    held = [one for numbers in in_redis.values() for one in numbers.holds]
    seconds, microseconds = redis.time()
    return Sight(
        now_ms=max(latest_ms, seconds * 1000 + microseconds // 1000),
        epoch=fence.epoch,
        gate_open=_is_open(redis, fence),
        levels=levels,
        redis=in_redis,
        journalled=set(rows_of(sql, held)),
        reservations=_promised(sql, promised),
        orders={row.token: row for some in _slices(tokens) for row in sql.execute(_ORDERS, {"tokens": some})},
    )


def rows_of(sql: Connection, ids: Iterable[str]) -> dict[str, Row]:
    """Reservation rows by id."""
    return {row.id: row for some in _slices(ids) for row in sql.execute(_RESERVATIONS, {"ids": some})}


def _promised(sql: Connection, holds: Mapping[str, HoldPromise]) -> dict[str, Row]:
    """The row of each promise; a click answered 503 has left a tombstone, and its promise is the one after."""
    found: dict[str, Row] = {}
    open, withdrawn = dict(holds), 0
    while open:
        ids = {one: promise.id_after(withdrawn) for one, promise in open.items()}
        rows = rows_of(sql, ids.values())
        found |= {one: rows[id] for one, id in ids.items() if id in rows}
        open = {one: open[one] for one, id in ids.items() if id in rows and not rows[id].units}
        withdrawn += 1
    return found


def _slices(values: Iterable[str], size: int = 500) -> Iterable[list[str]]:
    every = list(values)
    return (every[start : start + size] for start in range(0, len(every), size))


def _is_open(redis: Redis, fence: Row) -> bool:
    return (
        redis.info("server")["run_id"] == fence.run_id
        and redis.get(keys.EPOCH) == str(fence.epoch)
        and all(redis.script_exists(*(script.sha for script in scripts.ALL)))
    )


def _read_redis(redis: Redis, skus: Sequence[str]) -> dict[str, InRedis]:
    pipeline = redis.pipeline(transaction=True)
    for sku in skus:
        pipeline.hmget(keys.level(sku), "available", "epoch")
        pipeline.hgetall(keys.holds(sku))
    answers = iter(pipeline.execute())
    return {sku: _numbers(next(answers), next(answers)) for sku in skus}


def _numbers(level: list[str | None], holds: dict[str, str]) -> InRedis:
    available, epoch = level
    units = {one: int(hold.partition(":")[0]) for one, hold in holds.items()}
    return InRedis(None if available is None else int(available), int(epoch or 0), units)


@dataclass(frozen=True)
class Books:
    """What only changes together with its effect, looked at less often: orders, their keys and lines."""

    unlike: Sequence[Row]
    keys: Sequence[Row]
    order_ids: set[int]
    reasons: Sequence[str]


def read_books(sql: Connection) -> Books:
    return Books(
        unlike=sql.execute(_UNLIKE_ORDERS).all(),
        keys=sql.execute(_KEYS).all(),
        order_ids=set(sql.scalars(_ORDER_IDS)),
        reasons=sql.scalars(_REASONS).all(),
    )
