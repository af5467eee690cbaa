"""News of the stock: what listeners know of each SKU is compared with how it is, and what differs is told."""

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from storefront.core.db import transaction
from storefront.erp.events import rows
from storefront.erp.models import ToldStock
from storefront.stock import levels
from storefront.stock.models import StockLevel
from storefront.stock.outcomes import Level
from storefront.stock.stockroom import Stockroom

SLICE = 500


def tell_changes(room: Stockroom) -> int:
    """Write an event for each SKU whose stock has another word than listeners know; return how many."""
    with Session(room.engine) as session:
        known = {one.sku: one.word for one in session.execute(select(ToldStock.sku, ToldStock.word))}
        skus = session.scalars(select(StockLevel.sku).order_by(StockLevel.sku)).all()
    return sum(_tell(room, skus[start : start + SLICE], known) for start in range(0, len(skus), SLICE))


def _tell(room: Stockroom, skus: Iterable[str], known: Mapping[str, str]) -> int:
    now = levels.read(room, skus).values()
    news = [level for level in now if level.state not in ("checking", known.get(level.sku))]
    _begin_to_know(room, [level for level in news if level.sku not in known])
    changed = [level for level in news if level.sku in known]
    if not changed:
        return 0
    now_ms = room.now_ms()
    with transaction(room.engine) as session:
        return sum(_note(session, level, known[level.sku], now_ms) for level in changed)


def _begin_to_know(room: Stockroom, news: Sequence[Level]) -> None:
    """Note the first word for a SKU; who begins to listen is not told of all that is sold out."""
    if not news:
        return
    now_ms = room.now_ms()
    try:
        with transaction(room.engine) as session:
            session.add_all(ToldStock(sku=level.sku, word=level.state, told_at_ms=now_ms) for level in news)
    except IntegrityError:
        pass  # another process was first


def topic_of(known: str, now: str) -> str | None:
    """What there is to tell where a word has changed; None where that is no news."""
    if now == "sold_out":
        return "stock.out"
    if known == "sold_out":
        return "stock.back"
    return "stock.low" if now == "low" else None


def _note(session: Session, level: Level, known: str, now_ms: int) -> bool:
    """Note and tell a new word; where another process has done so since, nothing happens."""
    mine = update(ToldStock).where(ToldStock.sku == level.sku, ToldStock.word == known)
    won = session.scalar(
        mine.values(word=level.state, told_at_ms=now_ms).returning(ToldStock.sku),
        execution_options={"synchronize_session": False},
    )
    topic = topic_of(known, level.state)
    if won is None or topic is None:
        return False
    data = {"sku": level.sku, "available": level.available, "version": level.version, "epoch": level.epoch}
    rows.add(session, topic, data, now_ms)
    return True
