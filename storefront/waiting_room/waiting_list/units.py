"""Units that came back: who is told of them, once each, in the order of the list."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from storefront.core.db import transaction
from storefront.core.errors import Unavailable
from storefront.stock import levels
from storefront.stock.models import StockLevel
from storefront.stock.stockroom import Stockroom
from storefront.waiting_room import queue
from storefront.waiting_room.models import Sale, WaitingListEntry
from storefront.waiting_room.waiting_list.entries import MOST_MAILS_PER_HOUR, mails_within_the_hour, write

TOLD_PER_UNIT = 3  # not everybody who is told comes
TURN_MS = 30 * 60_000  # so long those who were told have before others are told of the same units


def tell(room: Stockroom) -> int:
    """Have mails sent to those on the lists of sales that have units again; return to how many."""
    return sum(_tell(room, sale, free_units(room, sale)) for sale in _waited_for(room))


def _waited_for(room: Stockroom) -> list[Sale]:
    """The sales on whose lists somebody waits."""
    waiting = WaitingListEntry.confirmed_at_ms.is_not(None), WaitingListEntry.told_at_ms.is_(None)
    with Session(room.engine, expire_on_commit=False) as session:
        return list(session.scalars(select(Sale).where(Sale.id.in_(select(WaitingListEntry.sale_id).where(*waiting)))))


def free_units(room: Stockroom, sale: Sale) -> int:
    """Units of a sale that nobody else stands in line for; 0 where it cannot be known just now."""
    try:
        if sale.state == "closed":
            return _free_for_all(room, sale)
        if sale.state in ("open", "sold_out") and sale.sold_out_at_ms:
            seen, _ = queue.look(room, sale.slug)
            line_is_empty = seen.waiting == 0 and not seen.is_held
            return max(0, (seen.available or 0) - seen.owed) if line_is_empty else 0
    except Unavailable:
        pass
    return 0


def _free_for_all(room: Stockroom, sale: Sale) -> int:
    """Of the SKUs of a closed sale; those that are in another sale by now can be had there only."""
    of_nobody = select(StockLevel.sku).where(StockLevel.sku.in_(sale.skus), StockLevel.sale.is_(None))
    with Session(room.engine) as session:
        skus = session.scalars(of_nobody).all()
    return sum(level.available or 0 for level in levels.read(room, skus).values())


def _tell(room: Stockroom, sale: Sale, units: int) -> int:
    """Write to as many as may come for `units`, without those who were told a moment ago; return how many."""
    if not units:
        return 0
    now_ms = room.now_ms()
    entry = WaitingListEntry
    with transaction(room.engine) as session:
        session.execute(select(Sale.id).where(Sale.id == sale.id).with_for_update())
        told = select(func.count(entry.id)).where(entry.sale_id == sale.id, entry.told_at_ms > now_ms - TURN_MS)
        most = units * TOLD_PER_UNIT - (session.scalar(told) or 0)
        next_ones = (
            select(entry)
            .where(entry.sale_id == sale.id, entry.confirmed_at_ms.is_not(None), entry.told_at_ms.is_(None))
            .where(mails_within_the_hour(entry.email, now_ms) < MOST_MAILS_PER_HOUR)
            .order_by(entry.confirmed_at_ms, entry.id)
            .limit(max(0, most))
        )
        chosen = session.scalars(next_ones).all()
        for one in chosen:
            one.told_at_ms = now_ms
            write(session, one, "units", now_ms)
    return len(chosen)
