"""Units that come with a catalogue import, taken in within the import's own transaction."""

from collections.abc import Mapping

from sqlalchemy import event, select
from sqlalchemy.orm import Session

from storefront.stock.ledger import SLICE, Change, Reason, open_levels, record, tell
from storefront.stock.models import StockLevel
from storefront.stock.stockroom import Stockroom


def take_in(room: Stockroom, session: Session, units: Mapping[str, int], set_stock: bool) -> None:
    """Count SKUs that are new; with `set_stock` adjust the others so that on hand is what `units` says.

    Redis hears of it after the commit; where it does not answer then, the repair tells it later.
    """
    now_ms = room.now_ms()
    new = set(open_levels(session, units, now_ms))
    if set_stock:
        _adjust(session, {sku: units[sku] for sku in units if sku not in new}, now_ms)
    skus = list(units) if set_stock else sorted(new)

    def tell_redis(_session: Session) -> None:
        tell(room, skus)

    event.listen(session, "after_commit", tell_redis, once=True)


def _adjust(session: Session, units: Mapping[str, int], now_ms: int) -> None:
    why = Reason("import with --set-stock", "catalog import", now_ms)
    skus = sorted(units)
    for start in range(0, len(skus), SLICE):
        some = StockLevel.sku.in_(skus[start : start + SLICE])
        levels = select(StockLevel.sku, StockLevel.on_hand).where(some)
        for sku, on_hand in sorted(session.execute(levels).all()):  # in Python's order, as the orders lock them
            if on_hand != units[sku]:
                record(session, sku, "adjusted", Change(on_hand=units[sku] - on_hand), why, force=True)
