"""The fairness report of a sale: who was let in, in which order, and how everybody can check it."""

from bisect import bisect_right, insort
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha1
from statistics import median

from sqlalchemy import select
from sqlalchemy.orm import Session

from storefront.stock.models import StockMovement
from storefront.stock.stockroom import Stockroom
from storefront.waiting_room.models import Admission, Sale
from storefront.waiting_room.outcomes import ADMITTED
from storefront.waiting_room.sales import seed_hash

# Scores as prelude.lua makes them: a lot is below 2^52, above it are 2^40 ordinals for each epoch.
DRAWN = 2**52
EPOCH = 2**40
LOT_DIGITS = 13  # hexadecimal


@dataclass(frozen=True)
class Admitted:
    """An admission, and what came of it."""

    epoch: int
    number: int
    shopper: str
    lot: str | None  # in hexadecimal
    ordinal: int | None  # of arrival in `ordinal_epoch`, where the place was not drawn by lot
    ordinal_epoch: int | None
    proven: bool | None  # whether the lot follows from the seed; None: no lot, or the seed is secret still
    came_back: bool  # to a place from before the queue was lost, perhaps when others had been let in already
    joined_at_ms: int
    admitted_at_ms: int
    waited_ms: int
    state: str
    ended_at_ms: int | None
    extensions: int
    units_ordered: int


@dataclass(frozen=True)
class Report:
    """The figures of a sale."""

    joined: int
    admitted: int
    inversions: int  # pairs let in against the order of their places: 0, or the sale was not fair
    inversions_after_loss: int  # pairs of which one came back late to a place from before the queue was lost
    active: int
    spent: int
    no_shows: int
    expired: int
    left: int
    units_ordered: int
    units_cancelled: int
    units_without_pass: int  # ordered from carts that were filled before the sale was announced
    first_order_after_ms: int | None  # after the opening, as the next two
    last_order_after_ms: int | None
    sold_out_after_ms: int | None
    longest_wait_ms: int | None
    median_wait_ms: int | None
    lots: int
    lots_proven: int | None  # None: the seed is secret still
    seed_hash: str
    seed: str | None  # None: secret still


@dataclass
class _Order:
    """Units of a sale's SKUs in one order."""

    shopper: str
    at_ms: int
    units: int = 0
    cancelled: int = 0


def report(room: Stockroom, sale: Sale) -> Report:
    """What is known of a sale by now, as of the last tick."""
    with Session(room.engine) as session:
        rows, orders = _rows(session, sale), _orders(session, sale)
    all_admitted = _match(sale, rows, orders)
    inversions, inversions_after_loss = count_inversions(rows)
    states = Counter(one.state for one in all_admitted)
    waits = [one.waited_ms for one in all_admitted]
    lots = [one for one in all_admitted if one.lot]
    units = sum(order.units for order in orders)
    placed = [order.at_ms for order in orders]
    return Report(
        joined=sale.joined,
        admitted=len(rows),
        inversions=inversions,
        inversions_after_loss=inversions_after_loss,
        active=sum(states[state] for state in ADMITTED),
        spent=states["spent"],
        no_shows=states["no_show"],
        expired=states["expired"],
        left=states["left"],
        units_ordered=units,
        units_cancelled=sum(order.cancelled for order in orders),
        units_without_pass=units - sum(one.units_ordered for one in all_admitted),
        first_order_after_ms=_since_opening(sale, min(placed, default=None)),
        last_order_after_ms=_since_opening(sale, max(placed, default=None)),
        sold_out_after_ms=_since_opening(sale, sale.sold_out_at_ms),
        longest_wait_ms=max(waits, default=None),
        median_wait_ms=int(median(waits)) if waits else None,
        lots=len(lots),
        lots_proven=sum(bool(one.proven) for one in lots) if revealed_seed(sale) else None,
        seed_hash=seed_hash(sale.seed),
        seed=revealed_seed(sale),
    )


def admissions(room: Stockroom, sale: Sale, shopper: str | None = None) -> list[Admitted]:
    """Every admission to a sale in its order, or those of one shopper."""
    with Session(room.engine) as session:
        return _match(sale, _rows(session, sale, shopper), _orders(session, sale, shopper))


def revealed_seed(sale: Sale) -> str | None:
    """The seed of the draw, once nobody can choose a lot by it any more."""
    return sale.seed if sale.opened_at_ms or sale.closed_at_ms else None


def lot_of(seed: str, shopper: str) -> str:
    """The lot of a shopper, the lowest is first: the beginning of the SHA-1 of "<seed>:<shopper>"."""
    return sha1(f"{seed}:{shopper}".encode(), usedforsecurity=False).hexdigest()[:LOT_DIGITS]


def count_inversions(rows: Iterable[Admission]) -> tuple[int, int]:
    """In how many pairs somebody was let in before another who stood before him; how many more of late comers.

    rows: in the order of admission. A late comer came back to a place from before the queue was lost;
    nobody had to wait for him.
    """
    seen: list[int] = []
    inversions = after_loss = 0
    for row in rows:
        overtaken = len(seen) - bisect_right(seen, row.score)
        if _came_back(row):
            after_loss += overtaken
        else:
            inversions += overtaken
        insort(seen, row.score)
    return inversions, after_loss


def _came_back(row: Admission) -> bool:
    """Whether the place is older than the queue that let him in; a lot may be, once a queue was lost."""
    of_epoch = 1 if row.score < DRAWN else (row.score - DRAWN) // EPOCH
    return of_epoch < row.epoch


def _rows(session: Session, sale: Sale, shopper: str | None = None) -> Sequence[Admission]:
    query = select(Admission).where(Admission.sale_id == sale.id).order_by(Admission.epoch, Admission.number)
    return session.scalars(query if shopper is None else query.where(Admission.shopper == shopper)).all()


def _orders(session: Session, sale: Sale, shopper: str | None = None) -> list[_Order]:
    """The orders placed while the sale was on, from the stock's ledger; cancelled at any time."""
    query = select(StockMovement).where(
        StockMovement.sku.in_(sale.skus),
        StockMovement.kind.in_(("committed", "cancelled")),
        StockMovement.created_at_ms >= sale.created_at_ms,
        StockMovement.shopper != "" if shopper is None else StockMovement.shopper == shopper,
    )
    found: dict[str, _Order] = {}
    for row in session.scalars(query.order_by(StockMovement.id)):
        if row.kind == "committed" and row.created_at_ms <= (sale.closed_at_ms or row.created_at_ms):
            found.setdefault(row.cause, _Order(row.shopper, row.created_at_ms)).units += row.committed
        elif row.kind == "cancelled" and row.cause in found:
            found[row.cause].cancelled -= row.committed
    return list(found.values())


def _match(sale: Sale, rows: Sequence[Admission], orders: Iterable[_Order]) -> list[Admitted]:
    """The admissions with their orders: an order belongs to its shopper's last admission before it."""
    of_shopper: dict[str, list[Admission]] = defaultdict(list)
    for row in rows:
        of_shopper[row.shopper].append(row)
    units: Counter[tuple[int, int]] = Counter()
    for order in orders:
        before = [row for row in of_shopper[order.shopper] if row.admitted_at_ms <= order.at_ms]
        if before:
            units[before[-1].epoch, before[-1].number] += order.units
    return [_admitted(sale, row, units[row.epoch, row.number]) for row in rows]


def _admitted(sale: Sale, row: Admission, units_ordered: int) -> Admitted:
    drawn, seed = row.score < DRAWN, revealed_seed(sale)
    lot = f"{row.score:0{LOT_DIGITS}x}" if drawn else None
    return Admitted(
        epoch=row.epoch,
        number=row.number,
        shopper=row.shopper,
        lot=lot,
        ordinal=None if drawn else (row.score - DRAWN) % EPOCH,
        ordinal_epoch=None if drawn else (row.score - DRAWN) // EPOCH,
        proven=lot == lot_of(seed, row.shopper) if drawn and seed else None,
        came_back=_came_back(row),
        joined_at_ms=row.joined_at_ms,
        admitted_at_ms=row.admitted_at_ms,
        waited_ms=row.admitted_at_ms - row.joined_at_ms,
        state=row.state,
        ended_at_ms=row.ended_at_ms,
        extensions=row.extensions,
        units_ordered=units_ordered,
    )


def _since_opening(sale: Sale, at_ms: int | None) -> int | None:
    return at_ms - sale.opened_at_ms if at_ms and sale.opened_at_ms else None
