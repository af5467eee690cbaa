"""What comes in: the ERP's stock figures, each absolute as of its moment, become what can be sold.

    available = base - units of our orders not deducted in it - live reservations - safety stock

(design.md, section 6). `base` is what the ERP would still promise, or its physical count. An order is deducted by
a snapshot that contains it and never by its acknowledgement: one that was acknowledged after the figures were read
is not in them, and would be sold a second time.
"""

import logging
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from storefront.core.db import transaction
from storefront.erp import link, marks
from storefront.erp.adapter import AppliedSet, ErpAlarm, ErpError, Snapshot, UpToBatch, UpToTime, Wanted
from storefront.erp.delivery import Turn
from storefront.erp.documents import PLACED, key_of, order_id_of
from storefront.erp.exchange import Exchange
from storefront.erp.link import Lease
from storefront.erp.models import BufferRow, ErpBatch, ErpSnapshot
from storefront.orders import figures
from storefront.orders.models import OrderLine
from storefront.stock.ledger import Change, Reason, lock_levels, record, tell
from storefront.stock.models import StockLevel
from storefront.stock.stockroom import Stockroom

ONCE = 20  # snapshots in one turn
ASKED_MOST = 5_000  # orders about which an ERP is asked at once
UNKNOWN_MOST = 20  # SKUs named that the shop does not sell
ALL_EVERY_MS = 600_000  # so often the ERP is asked about all SKUs: some are new to the shop
OVERLAP_MS = 300_000  # looked back further than the last snapshot, for what an ERP has dated before it
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TakenIn:
    """What a snapshot has changed; `changed` are SKUs, `unknown` those that the shop does not sell."""

    source: str
    sequence: int
    figures: int
    changed: Sequence[str]
    unknown: Sequence[str]
    problems: int


@dataclass
class StockRead:
    """What came of looking for news; `alarm` says why nothing is taken in until a person has looked."""

    busy: bool = False
    snapshots: Sequence[TakenIn] = ()
    error: str = ""
    alarm: str = ""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def read_stock(exchange: Exchange, *, now: bool = False, accept_gap: bool = False) -> StockRead:
    """Take in what the ERP says of its stock, if it is time to ask; `now`: in any case.

    accept_gap: an operator has seen that a snapshot is missing, and goes on with the next.
    """
    done = StockRead()
    if exchange.adapter.capabilities.stock is None or not (now or _is_time(exchange)):
        return done
    with link.leased(exchange.room, exchange.name, exchange.lease_ms) as lease:
        if lease is None:
            done.busy = True
        else:
            try:
                _read(exchange, lease, done, accept_gap)
            except link.LeaseLost as lost:
                done.busy, done.error = True, str(lost)
    return done


def _is_time(exchange: Exchange) -> bool:
    there, now_ms = link.look(exchange.room, exchange.name), exchange.room.now_ms()
    return there.open_until_ms <= now_ms and there.read_at_ms + exchange.stock_seconds * 1000 <= now_ms


def _read(exchange: Exchange, lease: Lease, done: StockRead, accept_gap: bool) -> None:
    Turn(exchange, lease).hear()  # an order whose acknowledgement is there is in the figures that come with it
    try:
        taken: list[TakenIn] = []
        while len(taken) < ONCE:
            wanted = _wanted(exchange, accept_gap)
            snapshot = exchange.adapter.snapshot(wanted) if wanted else None
            if snapshot is None:
                break
            taken.append(take_in(exchange, lease, snapshot))
            done.snapshots = taken
            if exchange.adapter.capabilities.watermark == "applied_set":
                break  # it was made for us, and the next would be made just now
        error = None
    except ErpError as caught:
        error = caught
        done.error = f"{type(error).__name__}: {error}"
        log.warning("the stock of the ERP (%s) could not be taken in: %s", exchange.name, done.error)
    done.alarm = str(error) if isinstance(error, ErpAlarm) else ""
    with transaction(exchange.room.engine) as session:
        now_ms = exchange.room.now_ms()
        there = link.check(session, lease, now_ms)
        there.read_at_ms, there.alarm = now_ms, done.alarm[:2000]
        if error is not None and not isinstance(error, ErpAlarm):
            link.note_failure(there, error, now_ms)


def _wanted(exchange: Exchange, accept_gap: bool) -> Wanted | None:
    """What to ask for; None where the ERP says that nothing has changed."""
    now_ms = exchange.room.now_ms()
    with Session(exchange.room.engine) as session:
        last = _last(session, exchange.name)
        skus = session.scalars(select(StockLevel.sku).order_by(StockLevel.sku)).all()
        pending = _pending(session) if exchange.adapter.capabilities.watermark == "applied_set" else []
    since_ms = last.as_of_ms if last else 0
    is_time_for_all = last is None or last.taken_at_ms // ALL_EVERY_MS != now_ms // ALL_EVERY_MS
    changed = None if is_time_for_all else exchange.adapter.changed_skus(since_ms - OVERLAP_MS)
    if changed is not None:
        skus = sorted(set(skus) & set(changed))
        if not skus:
            return None
    return Wanted(
        last.sequence if last else 0, last.content_hash if last else "", pending, skus, since_ms, now_ms, accept_gap
    )


def _last(session: Session, adapter: str) -> ErpSnapshot | None:
    snapshots = select(ErpSnapshot).where(ErpSnapshot.adapter == adapter)
    return session.scalars(snapshots.order_by(ErpSnapshot.sequence.desc()).limit(1)).one_or_none()


def newest(room: Stockroom, adapter: str) -> int:
    """The sequence of the last snapshot that was taken in; 0 where there was none."""
    with Session(room.engine) as session:
        last = _last(session, adapter)
    return last.sequence if last else 0


def _pending(session: Session) -> list[str]:
    """Keys of orders that were sent and that some figure may not have deducted yet, the oldest first."""
    undeducted = select(OrderLine.order_id).where(~OrderLine.deducted)
    sent = select(BufferRow.order_id).where(
        BufferRow.version == 1, BufferRow.batch_id.is_not(None), BufferRow.order_id.in_(undeducted)
    )
    ids = session.scalars(sent.order_by(BufferRow.id).limit(ASKED_MOST))
    return [key_of(order_id, PLACED) for order_id in ids if order_id is not None]


def take_in(exchange: Exchange, lease: Lease, snapshot: Snapshot) -> TakenIn:
    """Let a snapshot's figures be what is there, in one step; one that is not newer than the last changes nothing."""
    room = exchange.room
    cause = f"erp:{exchange.name}:{snapshot.sequence}"[:100]
    with transaction(room.engine) as session:
        now_ms = room.now_ms()
        there = link.check(session, lease, now_ms)
        last = _last(session, exchange.name)
        if last and snapshot.sequence <= last.sequence:
            return TakenIn(snapshot.source, snapshot.sequence, len(snapshot.figures), (), (), 0)
        shipped = figures.lock_placed(session, [order_id_of(key) for key in snapshot.shipped])
        levels = lock_levels(session, {*snapshot.figures, *(line.sku for order in shipped for line in order.lines)})
        figures.ship(session, shipped, cause, now_ms)
        ours = [level.sku for level in levels if level.sku in snapshot.figures]
        figures.mark_deducted(session, ours, _contained(snapshot, exchange.name))
        figures.forget(session, _cancelled_there(session))
        why = Reason(f"stock of the ERP, {snapshot.source}"[:200], cause, now_ms)
        changed = _settle(session, snapshot, ours, why)
        unknown = sorted(set(snapshot.figures) - set(ours))
        marks.note_problems(session, exchange.name, snapshot.problems, now_ms)
        link.note_answer(there, now_ms)
        session.add(
            ErpSnapshot(
                adapter=exchange.name, sequence=snapshot.sequence, content_hash=snapshot.content_hash,
                source=snapshot.source[:200], as_of_ms=snapshot.as_of_ms, taken_at_ms=now_ms,
                figures=len(snapshot.figures), changed=len(changed), unknown=unknown[:UNKNOWN_MOST],
            )
        )  # fmt: skip
    tell(room, [*changed, *(line.sku for order in shipped for line in order.lines)])
    return TakenIn(
        snapshot.source, snapshot.sequence, len(snapshot.figures), changed, unknown, len(snapshot.problems)
    )  # fmt: skip


def _cancelled_there(session: Session) -> list[int]:
    """Orders that the ERP has cancelled: whatever its figures have deducted, it will not ship them."""
    undeducted = select(OrderLine.order_id).where(~OrderLine.deducted)
    row = BufferRow
    booked = select(row.order_id).where(row.version == 2, row.state == "applied", row.order_id.in_(undeducted))
    return [order_id for order_id in session.scalars(booked) if order_id is not None]


def _contained(snapshot: Snapshot, adapter: str) -> Collection[int] | Select[tuple[int]]:
    """The orders whose units these figures count as gone, by what the ERP tells of it."""
    row = BufferRow
    applied = select(row.order_id).where(row.version == 1, row.channel == "erp", row.state == "applied")
    match snapshot.watermark:
        case AppliedSet(keys):
            return [order_id_of(key) for key in keys]
        case UpToBatch(sequence):
            joined = applied.join(ErpBatch, ErpBatch.id == row.batch_id)
            return joined.where(ErpBatch.adapter == adapter, ErpBatch.sequence <= sequence)  # type: ignore[return-value]
        case UpToTime(as_of_ms, margin_ms):
            return applied.where(row.applied_at_ms <= as_of_ms - margin_ms)  # type: ignore[return-value]


def _settle(session: Session, snapshot: Snapshot, skus: Sequence[str], why: Reason) -> list[str]:
    """Move on hand so that what can be sold is the figure less what it does not know of; return the SKUs moved.

    The safety stock ("unavailable") and what is reserved are subtracted where the level is read, as ever.
    """
    missing = figures.undeducted(session, skus)
    changed = []
    for level in lock_levels(session, skus):  # again: shipping has changed some
        delta = snapshot.figures[level.sku] - missing.get(level.sku, 0) + level.committed - level.on_hand
        if delta:
            record(session, level.sku, "counted", Change(on_hand=delta), why, force=True)
            changed.append(level.sku)
    return changed
