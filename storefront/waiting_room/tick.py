"""The tick: what a sale needs twice a second. Any number of them at once does no harm.

It builds the queue where there is none or it was lost, opens on time, frees the slots of those whose
time is over, notices "sold out" and that units have come back, lets people in, and copies to SQL what
became of those who were.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from redis.exceptions import RedisError
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from storefront.core.db import transaction
from storefront.core.errors import Refusal, in_a_line, is_outage
from storefront.stock import levels
from storefront.stock.levels import Demand
from storefront.stock.stockroom import Stockroom
from storefront.waiting_room import keys, queue, sales, scripts
from storefront.waiting_room.models import Admission, Sale
from storefront.waiting_room.outcomes import ADMITTED, NotAllowedNow, Queue

COME_BACK_MS = 10_000  # so long nobody is let in after the queue was lost
NEWS_AT_ONCE = 500
ADMITTED_AT_ONCE = 100  # by one call of the script
MOST_IN_A_TICK = 5_000
SLICE = 100
CLOCK = "clock"  # who has changed a sale, for the audit

log = logging.getLogger(__name__)


def tick_all(room: Stockroom) -> dict[str, int]:
    """Tick every sale that is not closed; return how many were let in, by slug."""
    admitted = {}
    room.fence.refresh(room.engine)
    for sale in sales.all_sales(room, closed=False):
        with _patience(sale):
            admitted[sale.slug] = tick(room, sale)
    for sale in sales.lately_closed(room):
        with _patience(sale):
            clear(room, sale)
    return admitted


@contextmanager
def _patience(sale: Sale) -> Iterator[None]:
    """What cannot be done for one sale now is left for the next tick, and holds up no other."""
    try:
        yield
    except NotAllowedNow:
        pass  # an operator was quicker; the next tick sees it
    except (Refusal, RedisError) as error:
        if not is_outage(error):
            raise
        log.warning("the sale %s waits: %s", sale.slug, in_a_line(error))


def clear(room: Stockroom, sale: Sale) -> None:
    """Free the memory of a closed sale, once what became of admissions is in SQL; its head tells that it is closed."""
    sales.describe(room, sale)
    while copy_news(room, sale):
        pass
    gone = keys.line, keys.active, keys.news, keys.flow, keys.emails, keys.arrivals
    room.redis.unlink(*(name(sale.slug) for name in gone))  # DEL of a million people blocks Redis for half a second


def tick(room: Stockroom, sale: Sale) -> int:
    """Do what one sale needs now; return how many were let in."""
    build_if_lost(room, sale)
    sales.describe(room, sale)
    sale = _open_on_time(room, sale)
    queue.end_overdue(room, sale.slug)
    seen, _ = queue.look(room, sale.slug)
    before = _number(room, sale)  # first: whoever is let in from here on makes the figures old, and then nobody is
    demand = levels.demand(room, sale.skus, _active(room, sale.slug))
    _spend(room, sale, demand)
    sale = _notice_sold_out(room, sale, demand)
    _write_down(room, sale, seen, demand)
    count = _admit(room, sale, demand, before)
    copy_news(room, sale)
    return count


# --- building


def build_if_lost(room: Stockroom, sale: Sale) -> bool:
    """Make the queue of a sale where there is none on this Redis, or it may have lost its last moments.

    The epoch rises first, so no ordinal is ever given twice. Whoever was in the line and is not any
    more comes back to his place by his ticket; for 10 s nobody is let in, so that he is in time.
    """
    run_id = room.fence.run_id
    if run_id and room.redis.hget(keys.head(sale.slug), "run_id") == run_id:
        return False
    with transaction(room.engine) as session:
        row = session.scalars(select(Sale).where(Sale.id == sale.id).with_for_update()).one()
        room.fence.refresh(room.engine)
        room.fence.require_redis()
        if room.redis.hget(keys.head(sale.slug), "run_id") == room.fence.run_id:
            return False
        row.epoch += 1
        session.flush()
        _build(room, session, row)
    if row.epoch > 1:
        log.warning("the queue of the sale %s was lost and is built anew, epoch %d", sale.slug, row.epoch)
    return True


def _build(room: Stockroom, session: Session, sale: Sale) -> None:
    slug = sale.slug
    for some in _slices(_admissions(session, sale)):
        names = [keys.line(slug), keys.admitted(slug), keys.active(slug)]
        arguments = [part for one in some for part in _record(sale, one)]
        _load_and_call(room, scripts.bring_back, names, arguments)
    hold_until_ms = room.now_ms() + COME_BACK_MS if sale.opened_at_ms else 0
    fields = sales.head_of(sale)
    head: dict[Any, Any] = dict(zip(fields[::2], fields[1::2], strict=True))
    joined = max(sale.joined, int(room.redis.hget(keys.head(slug), "joined") or 0))
    with room.redis.pipeline(transaction=True) as pipeline:
        pipeline.hdel(keys.head(slug), "run_id")
        pipeline.unlink(keys.arrivals(slug))
        pipeline.hset(
            keys.head(slug),
            mapping={
                **head, "version": sale.version, "epoch": sale.epoch, "ordinal": 0, "number": 0, "joined": joined,
                "hold_until_ms": hold_until_ms, "tokens": 0, "filled_at_ms": 0, "run_id": room.fence.run_id,
            },
        )  # fmt: skip
        pipeline.execute()


def _load_and_call(room: Stockroom, script: Any, names: Sequence[str], arguments: Sequence[Any]) -> Any:
    room.redis.script_load(script.source)
    return script(room.redis, names, *arguments)


def _admissions(session: Session, sale: Sale) -> Sequence[Admission]:
    newest_first = Admission.epoch.desc(), Admission.number.desc()
    return session.scalars(select(Admission).where(Admission.sale_id == sale.id).order_by(*newest_first)).all()


def _slices(rows: Sequence[Admission]) -> Iterator[Sequence[Admission]]:
    return (rows[start : start + SLICE] for start in range(0, len(rows), SLICE))


def _record(sale: Sale, one: Admission) -> tuple[str, str, str]:
    numbers = one.epoch, one.number, one.score, one.admitted_at_ms, one.expires_at_ms, one.extensions
    free_at = one.expires_at_ms
    if one.state == "granted":
        free_at = min(one.admitted_at_ms + sale.grace_seconds * 1000, free_at)
    return one.shopper, "|".join(map(str, (one.state, *numbers))), str(free_at) if one.state in ADMITTED else ""


# --- time and stock


def _open_on_time(room: Stockroom, sale: Sale) -> Sale:
    now_ms = room.now_ms()
    if sale.state in ("announced", "lobby") and now_ms >= sale.opens_at_ms:
        return sales.turn(room, sale.slug, "open", CLOCK, "opened on time", ("announced", "lobby"))
    if sale.state == "announced" and sale.lobby_seconds and now_ms >= sale.opens_at_ms - sale.lobby_seconds * 1000:
        return sales.turn(room, sale.slug, "lobby", CLOCK, "lobby opened on time", ("announced",))
    return sale


def _active(room: Stockroom, slug: str) -> list[str]:
    found: Any = room.redis.zrange(keys.active(slug), 0, -1)
    return list(found)


def _spend(room: Stockroom, sale: Sale, demand: Demand) -> None:
    """End the passes of those who have all they may have in orders; a hold keeps the pass, for it may run out."""
    bought = levels.bought(room, sale.skus, [one for one in demand.taken if demand.taken[one] >= sale.limit_units])
    queue.spend(room, sale.slug, [one for one, units in bought.items() if units >= sale.limit_units])


def _notice_sold_out(room: Stockroom, sale: Sale, demand: Demand) -> Sale:
    if sale.state == "open" and demand.available == 0:
        return sales.turn(room, sale.slug, "sold_out", CLOCK, "sold out", ("open",))
    if sale.state == "sold_out" and demand.available:
        return sales.turn(room, sale.slug, "open", CLOCK, "units came back", ("sold_out",))
    return sale


def _write_down(room: Stockroom, sale: Sale, seen: Queue, demand: Demand) -> None:
    """Leave for the pages what is free, and when the last ordinal was given."""
    ordinal = int(room.redis.hget(keys.head(sale.slug), "ordinal") or 0)
    last: Any = room.redis.zrange(keys.arrivals(sale.slug), -1, -1, withscores=True)
    with room.redis.pipeline(transaction=False) as pipeline:
        available = "" if demand.available is None else demand.available
        fields: dict[Any, Any] = {"available": available, "held": demand.held, "owed": _owed(sale, demand)}
        pipeline.hset(keys.head(sale.slug), mapping=fields)
        if ordinal > (last[0][1] if last else 0):
            pipeline.zadd(keys.arrivals(sale.slug), {str(seen.now_ms): ordinal})
        pipeline.execute()


def _number(room: Stockroom, sale: Sale) -> int:
    """That of the last admission."""
    return int(room.redis.hget(keys.head(sale.slug), "number") or 0)


def _admit(room: Stockroom, sale: Sale, demand: Demand, before: int) -> int:
    """Let in as many as could find something: each may take what is free and not for those who are in already."""
    if demand.available is None:
        return 0
    allowed = -(-max(0, demand.available - _owed(sale, demand)) // sale.limit_units)
    names = [
        name(sale.slug) for name in (keys.head, keys.line, keys.admitted, keys.active, keys.news, keys.flow)
    ]  # fmt: skip
    total = 0
    while total < min(allowed, MOST_IN_A_TICK):
        count = queue.ask(room, scripts.admit, names, allowed - total, before + total)
        total += count
        if count < ADMITTED_AT_ONCE:
            break
    return total


def _owed(sale: Sale, demand: Demand) -> int:
    """Units that those who are in may still take."""
    return sum(max(0, sale.limit_units - taken) for taken in demand.taken.values())


# --- to SQL


def copy_news(room: Stockroom, sale: Sale) -> int:
    """Copy what became of admissions to SQL, then forget it in Redis; return how many notes there were."""
    news: Any = room.redis.xrange(keys.news(sale.slug), count=NEWS_AT_ONCE)
    joined = int(room.redis.hget(keys.head(sale.slug), "joined") or 0)
    if not news and joined <= sale.joined:
        return 0
    with transaction(room.engine) as session:
        session.execute(update(Sale).where(Sale.id == sale.id, Sale.joined < joined).values(joined=joined))
        for _, note in news:
            _copy(room, session, sale, note)
    if news:
        room.redis.xdel(keys.news(sale.slug), *(one for one, _ in news))
    return len(news)


def _copy(room: Stockroom, session: Session, sale: Sale, note: dict[str, str]) -> None:
    key = sale.id, int(note["epoch"]), int(note["number"])
    row = session.get(Admission, key)
    if row is None:
        row = Admission(
            sale_id=key[0], epoch=key[1], number=key[2], score=int(note["score"]),
            joined_at_ms=_joined_at_ms(room, sale, note), admitted_at_ms=int(note["admitted_at"]),
        )  # fmt: skip
        session.add(row)
    row.shopper = note["shopper"]
    row.state = note["state"]
    row.expires_at_ms = int(note["expires_at"])
    row.extensions = int(note["extensions"])
    row.ended_at_ms = None if row.state in ADMITTED else int(note["at"])


def _joined_at_ms(room: Stockroom, sale: Sale, note: dict[str, str]) -> int:
    """When the shopper of a note joined, as exactly as the ticks have written down; a lot waits since the opening."""
    rest = int(note["score"]) - 2**52
    if rest >= 0 and rest >> 40 == int(note["epoch"]):
        ordinal = rest & (2**40 - 1)
        found: Any = room.redis.zrange(keys.arrivals(sale.slug), ordinal, "inf", byscore=True, offset=0, num=1)
        if found:
            return min(int(found[0]), int(note["admitted_at"]))
    return min(sale.opened_at_ms or sale.opens_at_ms, int(note["admitted_at"]))
