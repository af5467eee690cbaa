"""The rebuild: make the numbers in Redis anew from SQL, and open the gate.

The epoch rises first, in a transaction of its own: from then on nobody who still works with the old
numbers can journal a reservation, and whatever becomes of this rebuild, no other takes the same epoch.
Until the numbers are there the epoch belongs to no Redis, which keeps the gate closed. They follow
under a lock in SQL, one rebuild at a time; the scripts are loaded last, so that nobody sees half of it.
"""

import json
import logging
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any

from redis import Redis
from redis.client import Pipeline
from sqlalchemy import Row, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from storefront.core.db import transaction
from storefront.core.lua import load_all
from storefront.stock import keys, scripts
from storefront.stock.ledger import by_code
from storefront.stock.levels import first_version
from storefront.stock.models import Reservation, StockFence, StockLevel, StockMovement
from storefront.stock.stockroom import GateClosed, Stockroom, run_id_of

SLICE = 200
PAUSE_SECONDS = 1.0  # after a rebuild that failed
ATTEMPTS = 5  # those who find the gate closed at the same moment overtake each other once

log = logging.getLogger(__name__)


def rebuild(room: Stockroom) -> int:
    """Rebuild now, whatever the state of the gate; return the new epoch."""
    return _rebuild(room, needed=lambda fence: True)


def rebuild_if_closed(room: Stockroom, sku: str = "") -> int | None:
    """Rebuild where the gate is closed (or `sku`, which should be there, is missing); else return None."""
    if is_open(room, sku):
        return None
    return _rebuild(room, needed=lambda fence: not _is_open(room.unfenced, fence, sku)) or None


def is_open(room: Stockroom, sku: str = "") -> bool:
    """Whether the numbers in Redis, that of `sku` among them, may be trusted. Raises redis' errors."""
    with Session(room.engine) as session:
        fence = session.scalars(select(StockFence)).one_or_none()
    return fence is not None and _is_open(room.unfenced, fence, sku)


def _is_open(redis: Redis, fence: StockFence, sku: str = "") -> bool:
    return (
        fence.epoch > 0
        and run_id_of(redis.info("server")) == fence.run_id
        and redis.get(keys.EPOCH) == str(fence.epoch)
        and all(redis.script_exists(*(script.sha for script in scripts.ALL)))
        and (not sku or redis.hget(keys.level(sku), "epoch") == str(fence.epoch))
    )


def _locked_fence(session: Session) -> StockFence:
    fence = session.scalars(select(StockFence).with_for_update()).one_or_none()
    return fence or _first_fence(session)


def _first_fence(session: Session) -> StockFence:
    try:
        with session.begin_nested():
            session.add(StockFence(id=1, epoch=0, run_id=""))
    except IntegrityError:
        pass  # another process was first, and has just committed
    return session.scalars(select(StockFence).with_for_update()).one()


def close_gate(session: Session) -> None:
    """In the caller's transaction: from its commit on nothing is reserved by the numbers in Redis until a rebuild.

    Whoever closes it waits for others who do, before he reads what they may change.
    """
    fence = _locked_fence(session)
    fence.epoch += 1
    fence.run_id = ""


def _rebuild(room: Stockroom, needed: Callable[[StockFence], bool]) -> int:
    """Rebuild where it is still `needed` once we have the lock; return the new epoch, 0 where it was not.

    Raises GateClosed where others take over again and again.
    """
    for _ in range(ATTEMPTS):
        with transaction(room.engine) as session:
            fence = _locked_fence(session)
            if not needed(fence):
                return 0
            epoch = _raise_epoch(room.unfenced, fence)
        with transaction(room.engine) as session:
            loaded = _load(session, room.unfenced, epoch)
        if loaded:
            return _open(room, epoch)
    raise GateClosed("other rebuilds have taken over")


def _raise_epoch(redis: Redis, fence: StockFence) -> int:
    """Begin an epoch that belongs to no Redis yet; return it."""
    # Never one that this Redis has seen, though SQL may have come back from an older copy.
    tried = str(redis.get(keys.EPOCH_TRIED) or 0)
    epoch = max(fence.epoch, int(tried.partition(":")[0])) + 1
    redis.delete(keys.EPOCH)
    redis.set(keys.EPOCH_TRIED, epoch)  # a Redis that takes no changes ends it here, and uses up no epoch
    fence.epoch, fence.run_id = epoch, ""
    return epoch


def _load(session: Session, redis: Redis, epoch: int) -> bool:
    """Write every level and active reservation to Redis, unless another rebuild has begun since ours."""
    fence = _locked_fence(session)
    if fence.epoch != epoch:
        return False
    fence.run_id = run_id_of(redis.info("server"))
    seconds, microseconds = redis.time()
    at_ms = seconds * 1000 + microseconds // 1000
    for rows in _levels(session):
        with redis.pipeline(transaction=True) as pipeline:
            _require_newest(pipeline, epoch)
            for _, of_sku in groupby(rows, key=attrgetter("sku")):
                _write_level(pipeline, session, list(of_sku), epoch, at_ms)
            pipeline.execute()
        _note_built(session, {row.sku for row in rows}, epoch)
    redis.set(keys.REPAIRED_AT, at_ms)
    redis.set(keys.EPOCH, epoch)  # here, under the lock: a slow rebuild must not set it back
    return True


def _require_newest(pipeline: Pipeline, epoch: int) -> None:
    """Let `pipeline` be carried out only while no other rebuild has begun since ours.

    A rebuild that stands still for long may lose its connection to SQL, and the lock with it.
    """
    pipeline.watch(keys.EPOCH_TRIED)
    if pipeline.get(keys.EPOCH_TRIED) != str(epoch):
        raise GateClosed("another rebuild has taken over")
    pipeline.multi()


def _note_built(session: Session, skus: Collection[str], epoch: int) -> None:
    """Only what was written, and only what was new: a lock on every level would hold up the orders."""
    new = update(StockLevel).where(StockLevel.sku.in_(skus), StockLevel.built_epoch.is_(None))
    session.execute(new.values(built_epoch=epoch), execution_options={"synchronize_session": False})


def _levels(session: Session) -> Iterator[list[Row]]:
    """Levels joined with their active reservations, in slices of whole SKUs.

    One statement per slice: level and reservations then belong to the same snapshot, and an order
    or a release that commits meanwhile is seen wholly or not at all.
    """
    skus = sorted(session.scalars(select(StockLevel.sku)))  # in Python's order, see _lock_limited
    for start in range(0, len(skus), SLICE):
        some = skus[start : start + SLICE]
        _lock_limited(session, some)
        yield list(
            session.execute(
                select(
                    StockLevel.sku,
                    (StockLevel.on_hand - StockLevel.unavailable - StockLevel.committed).label("sellable"),
                    StockLevel.number,
                    StockLevel.limit_per_shopper,
                    StockLevel.sale,
                    Reservation.id,
                    Reservation.shopper,
                    Reservation.units,
                    Reservation.created_at_ms,
                    Reservation.expires_at_ms,
                )
                .outerjoin(Reservation, (Reservation.sku == StockLevel.sku) & (Reservation.state == "active"))
                .where(StockLevel.sku.in_(some))
                .order_by(StockLevel.sku)
            )
        )


def _lock_limited(session: Session, skus: Sequence[str]) -> None:
    """Hold up orders of SKUs with a limit, for what is held and what was bought are read one after the other.

    In the order of SKUs, as the orders lock them: Python's, which is not that of the database's language.
    """
    limited = select(StockLevel.sku).where(StockLevel.sku.in_(skus), StockLevel.limit_per_shopper.is_not(None))
    session.execute(limited.order_by(by_code(session)).with_for_update(read=True)).all()


def _write_level(pipeline: Redis, session: Session, rows: list[Row], epoch: int, at_ms: int) -> None:
    first = rows[0]
    sku = first.sku
    active = [row for row in rows if row.id is not None]
    held: dict[Any, Any] = {}
    for row in active:
        held[row.shopper] = held.get(row.shopper, 0) + row.units
    level: dict[Any, Any] = {
        "available": first.sellable - sum(held.values()),
        "version": first_version(epoch),
        "epoch": epoch,
        "number": first.number,
        "at_ms": at_ms,
    }
    pipeline.unlink(*keys.of(sku))
    if active:
        pipeline.hset(keys.holds(sku), mapping={row.id: _hold(row) for row in active})
        pipeline.zadd(keys.due(sku), {row.id: row.expires_at_ms for row in active})
        pipeline.hset(keys.held(sku), mapping=held)
    if first.limit_per_shopper is not None:
        level["limit"] = first.limit_per_shopper
        bought: dict[Any, Any] = bought_of(session, sku)
        if bought:
            pipeline.hset(keys.bought(sku), mapping=bought)
    if first.sale:
        level["sale"] = first.sale
    pipeline.hset(keys.level(sku), mapping=level)


def _hold(row: Row) -> str:
    return f"{row.units}:{row.created_at_ms}:{row.shopper}"


def bought_of(session: Session, sku: str) -> dict[str, int]:
    """Units of `sku` that each shopper has ordered and not cancelled."""
    units = func.sum(StockMovement.committed)
    rows = session.execute(
        select(StockMovement.shopper, units)
        .where(
            StockMovement.sku == sku, StockMovement.shopper != "", StockMovement.kind.in_(("committed", "cancelled"))
        )
        .group_by(StockMovement.shopper)
        .having(units > 0)
    )
    return {shopper: int(bought) for shopper, bought in rows}


def _open(room: Stockroom, epoch: int) -> int:
    """After the commit: load the scripts, tell the web processes to read anew."""
    load_all(room.unfenced, scripts.ALL)
    room.unfenced.publish(keys.CHANNEL, json.dumps({"rebuilt": epoch}))
    room.fence.refresh(room.engine)
    return epoch


class BackgroundRebuild:
    """Heals a closed gate without keeping the request that found it waiting; one attempt at a time."""

    def __init__(self) -> None:
        self._busy = threading.Lock()
        self._found_closed = False

    def is_running(self) -> bool:
        """Whether the gate was found closed and is not open yet; while that is only being looked at, nobody knows."""
        return self._found_closed

    def start(self, room: Stockroom, sku: str) -> None:
        """Rebuild in a thread where the gate is closed; return at once."""
        if self._busy.acquire(blocking=False):
            threading.Thread(target=self._run, args=(room, sku), name="stock-rebuild", daemon=True).start()

    def _run(self, room: Stockroom, sku: str) -> None:
        try:
            self._found_closed = not is_open(room, sku)
            epoch = rebuild_if_closed(room, sku) if self._found_closed else None
            if epoch:
                log.warning("the gate was closed: stock rebuilt from SQL, epoch %d", epoch)
        except Exception:
            log.exception("the stock could not be rebuilt; the next request tries again")
            time.sleep(PAUSE_SECONDS)  # while Redis takes no changes, each request would find the gate closed
        finally:
            self._found_closed = False
            self._busy.release()
