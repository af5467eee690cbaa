"""The sync with the ERP as an operator sees it: how it stands, its batches, what came in wrong, and who is at risk."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from redis.exceptions import RedisError
from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import Session, joinedload

from storefront.core.db import transaction
from storefront.core.times import iso
from storefront.erp import batches, buffer, link
from storefront.erp.buffer import Backlog, NotDead, UnknownRow
from storefront.erp.documents import VERSIONS, Document, Event, read_document, read_event
from storefront.erp.events.rows import CHANNEL as EVENTS
from storefront.erp.exchange import Exchange
from storefront.erp.models import BufferRow, ErpBatch, ErpLink, ErpProblem, ErpSnapshot
from storefront.orders import figures
from storefront.orders.models import Order, number_of
from storefront.stock.models import StockLevel
from storefront.stock.stockroom import Stockroom

CHANNELS = {"erp": "Orders", EVENTS: "Events"}
PAGE = 20  # batches
MOST = 200  # problems on a page, and orders at risk of a SKU
LATE_MS = 300_000  # what has not reached the ERP by then is worth an operator's look


@dataclass(frozen=True)
class Standing:
    """How the sync stands. short: SKUs with a shortfall. unanswered: batches that wait for the ERP's word."""

    adapter: str
    link: ErpLink
    breaker: str
    backlog: Backlog
    last: ErpSnapshot | None
    problems: int
    short: int
    unanswered: int
    now_ms: int

    @property
    def is_late(self) -> bool:
        return self.backlog.oldest_unsent_ms > LATE_MS

    def as_json(self) -> dict[str, Any]:
        counts = asdict(self.backlog)
        oldest_ms = counts.pop("oldest_unsent_ms")
        return {
            "adapter": self.adapter,
            "breaker": self.breaker,
            "error": self.link.error,
            "alarm": self.link.alarm,
            "answered_at": _iso(self.link.answered_at_ms),
            "backlog": counts,
            "oldest_unsent_seconds": round(oldest_ms / 1000, 3),
            "last_snapshot": self._snapshot(),
            "dead_letters": counts["dead"],
            "problems": self.problems,
            "unanswered_batches": self.unanswered,
        }

    def _snapshot(self) -> dict[str, Any] | None:
        last = self.last
        if last is None:
            return None
        return {
            "sequence": last.sequence,
            "source": last.source,
            "as_of": iso(last.as_of_ms),
            "age_seconds": round((self.now_ms - last.as_of_ms) / 1000, 3),
            "figures": last.figures,
            "changed": last.changed,
            "unknown": last.unknown,
        }


def _iso(at_ms: int | None) -> str | None:
    return iso(at_ms) if at_ms else None


def look(exchange: Exchange, channel: str = "erp") -> Standing:
    """How a channel stands; the link and the snapshots are those of the ERP's adapter."""
    room, now_ms = exchange.room, exchange.room.now_ms()
    there = link.look(room, exchange.name)
    with Session(room.engine) as session:
        last = session.scalars(
            select(ErpSnapshot)
            .where(ErpSnapshot.adapter == exchange.name)
            .order_by(ErpSnapshot.sequence.desc())
            .limit(1)
        ).one_or_none()
        problems = _count(session, ErpProblem.seen_by == "")
        short = _count(session, StockLevel.shortfall > 0)
        unanswered = _count(session, ErpBatch.state.in_((*batches.UNSENT, "accepted")), _of(channel))
    return Standing(
        exchange.name, there, link.breaker_of(there, now_ms), buffer.backlog(room, channel), last, problems, short,
        unanswered, now_ms,
    )  # fmt: skip


def _count(session: Session, *those: ColumnElement[bool]) -> int:
    return session.scalar(select(func.count()).where(*those)) or 0


def channels(room: Stockroom) -> dict[str, str]:
    """The channels that have rows, and that of the orders."""
    with Session(room.engine) as session:
        used = set(session.scalars(select(BufferRow.channel).distinct()))
    return {name: title for name, title in CHANNELS.items() if name == "erp" or name in used}


def _of(channel: str) -> ColumnElement[bool]:
    """Batches of a channel: those of the orders bear the kind of their documents."""
    orders = ErpBatch.kind.in_(tuple(VERSIONS))
    return orders if channel == "erp" else ~orders


@dataclass(frozen=True)
class BatchFacts:
    """A batch without its content; `words` are the ERP's."""

    id: str
    adapter: str
    sequence: int
    kind: str
    documents: int
    state: str
    tries: int
    created_at_ms: int
    sent_at_ms: int | None
    words: str


_BATCH = [getattr(ErpBatch, name) for name in BatchFacts.__dataclass_fields__]


def batches_of(room: Stockroom, channel: str, page: int) -> tuple[list[BatchFacts], bool]:
    """A page of batches, the newest first, counted from 1; and whether there is another after it."""
    query = select(*_BATCH).where(_of(channel)).order_by(ErpBatch.created_at_ms.desc(), ErpBatch.sequence.desc())
    with Session(room.engine) as session:
        rows = session.execute(query.offset((page - 1) * PAGE).limit(PAGE + 1)).all()
    return [BatchFacts(*row) for row in rows[:PAGE]], len(rows) > PAGE


def events_of(room: Stockroom, page: int) -> tuple[Sequence[tuple[BufferRow, Event]], bool]:
    """A page of events, the newest first, counted from 1, each with its row; and whether there is another after it."""
    events = select(BufferRow).where(BufferRow.channel == EVENTS).options(joinedload(BufferRow.document))
    query = events.order_by(BufferRow.id.desc())
    with Session(room.engine) as session:
        rows = session.scalars(query.offset((page - 1) * PAGE).limit(PAGE + 1)).all()
    return [(row, read_event(row.document.text)) for row in rows[:PAGE]], len(rows) > PAGE


def sent_since(exchange: Exchange, since_ms: int) -> list[dict[str, Any]]:
    """The batches that were sent since, each with what was said of its documents."""
    query = select(*_BATCH).where(ErpBatch.adapter == exchange.name, ErpBatch.sent_at_ms >= since_ms)
    said = select(BufferRow.words).where(BufferRow.words != "").distinct().order_by(BufferRow.words)
    with Session(exchange.room.engine) as session:
        found = [BatchFacts(*row) for row in session.execute(query.order_by(ErpBatch.sequence))]
        return [
            {
                **{name: getattr(one, name) for name in ("id", "sequence", "kind", "documents", "state", "tries")},
                "words": [
                    *([one.words] if one.words else []),
                    *session.scalars(said.where(BufferRow.batch_id == one.id)),
                ],
            }
            for one in found
        ]


def read_letter(room: Stockroom, row_id: int) -> tuple[BufferRow, Document]:
    """A dead letter about an order, and what the ERP was told in it. Raises UnknownRow and NotDead."""
    with Session(room.engine) as session:
        row = session.get(BufferRow, row_id, options=[joinedload(BufferRow.document)])
        if row is None or row.order_id is None:
            raise UnknownRow(f"There is no order in row {row_id} of the buffer.", id=row_id)
        if row.state != "dead":
            raise NotDead(f"Row {row_id} is {row.state}: it is no dead letter any more.", id=row_id)
    return row, read_document(row.document.text)


def letter_of(row: BufferRow) -> dict[str, Any]:
    """A dead letter, for a program."""
    return {
        "id": row.id,
        "order_id": row.order_id,
        "number": number_of(row.order_id) if row.order_id else None,
        "kind": row.kind,
        "words": row.words,
    }


def problems_of(room: Stockroom, most: int = MOST) -> Sequence[ErpProblem]:
    """What came in and could not be read, and nobody has put away yet; the newest first."""
    query = select(ErpProblem).where(ErpProblem.seen_by == "").order_by(ErpProblem.id.desc())
    with Session(room.engine) as session:
        return session.scalars(query.limit(most)).all()


def problems_since(exchange: Exchange, since_ms: int) -> list[dict[str, Any]]:
    """What came in since and could not be read."""
    query = select(ErpProblem).where(ErpProblem.adapter == exchange.name, ErpProblem.at_ms >= since_ms)
    with Session(exchange.room.engine) as session:
        return [
            {name: getattr(one, name) for name in ("source", "line", "column", "words", "raw")}
            for one in session.scalars(query.order_by(ErpProblem.id))
        ]


def put_away(room: Stockroom, who: str, problem_id: int | None = None) -> int:
    """Note that somebody has seen to a problem, or to all of them; return how many that were."""
    some = [ErpProblem.id == problem_id] if problem_id else []
    with transaction(room.engine) as session:
        open_ones = update(ErpProblem).where(ErpProblem.seen_by == "", *some).values(seen_by=who[:100] or "?")
        return len(session.scalars(open_ones.returning(ErpProblem.id)).all())


@dataclass(frozen=True)
class Short:
    """A SKU of which more is promised than there is, and the youngest orders that may have to do without."""

    level: StockLevel
    orders: Sequence[tuple[Order, int]]  # with their units of it


def shortfalls(room: Stockroom) -> list[Short]:
    """Every SKU that is short, the worst first."""
    short = select(StockLevel).where(StockLevel.shortfall > 0).order_by(StockLevel.shortfall.desc(), StockLevel.sku)
    with Session(room.engine) as session:
        return [_short(session, level) for level in session.scalars(short).all()]


def _short(session: Session, level: StockLevel) -> Short:
    at_risk = figures.at_risk(session, level.sku, level.shortfall)
    return Short(level, [(order, _units(order, level.sku)) for order in at_risk[:MOST]])


def _units(order: Order, sku: str) -> int:
    return sum(line.quantity for line in order.lines if line.sku == sku)


def oldest_unsent_ms(room: Stockroom) -> int:
    """How long the oldest order waits that is not with the ERP; 0 where none does, or where Redis tells no time."""
    try:
        return buffer.backlog(room).oldest_unsent_ms
    except RedisError:
        return 0


@dataclass(frozen=True)
class Alert:
    """Something that an operator must not miss, and where he can do something about it."""

    words: str
    path: str


def alerts(room: Stockroom) -> list[Alert]:
    """What is wrong with the sync now."""
    with Session(room.engine) as session:
        alarms = session.execute(select(ErpLink.adapter, ErpLink.alarm).where(ErpLink.alarm != "")).all()
        dead, untold = (
            _count(session, BufferRow.channel == channel, BufferRow.state == "dead") for channel in CHANNELS
        )
        short = session.scalar(select(func.sum(StockLevel.shortfall))) or 0
    oldest_ms = oldest_unsent_ms(room)
    return [
        *(Alert(f"No stock comes in from the ERP ({name}): {words[:300]}", "/ops/erp/") for name, words in alarms),
        *_when(dead, f"Dead letters, which the ERP has refused: {dead:,}.", "/ops/erp/letters"),
        *_when(untold, f"Events that nobody has taken: {untold:,}.", f"/ops/erp/letters?channel={EVENTS}"),
        *_when(short, f"Units that are promised and not there: {short:,}.", "/ops/erp/shortfalls"),
        *_when(
            oldest_ms > LATE_MS,
            f"The oldest order that has not reached the ERP waits for {oldest_ms // 60_000} minutes.",
            "/ops/erp/",
        ),
    ]


def _when(true: Any, words: str, path: str) -> Iterator[Alert]:
    if true:
        yield Alert(words, path)
