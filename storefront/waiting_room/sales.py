"""Sales: what an operator decides. SQL keeps it, with who did what; Redis gets a copy for the scripts."""

import re
import secrets
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256

from redis.exceptions import RedisError
from sqlalchemy import select
from sqlalchemy.orm import Session

from storefront.core.db import transaction
from storefront.core.errors import InvalidInput, Unavailable
from storefront.stock import adjustments
from storefront.stock.models import StockLevel
from storefront.stock.outcomes import StockChecking, UnknownSku
from storefront.stock.rebuild import close_gate, rebuild
from storefront.stock.stockroom import Stockroom
from storefront.waiting_room import keys, queue, scripts
from storefront.waiting_room.models import Sale, SaleChange, SaleSku
from storefront.waiting_room.outcomes import NotAllowedNow, Place, Queue, Ticket, UnknownSale

SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
LONGEST_SLUG = 64
LONGEST_MESSAGE = 500
LATELY_MS = 3_600_000
MOST_RATE = 10_000.0
MOST_ACTIVE = 100_000
MOST_UNITS = 1_000

# verb -> states in which an operator may use it, and the state it leads to
VERBS = {
    "open": (("announced", "lobby", "paused", "draining", "sold_out"), "open"),
    "pause": (("open", "draining", "sold_out"), "paused"),
    "resume": (("paused", "draining"), "open"),
    "drain": (("open", "paused", "sold_out"), "draining"),
    "close": (("announced", "lobby", "open", "paused", "draining", "sold_out"), "closed"),
}


@dataclass(frozen=True)
class NewSale:
    """What a sale is to be; seconds and units as in `Sale`."""

    slug: str
    skus: tuple[str, ...]
    opens_at_ms: int
    rate: float = 10.0
    active_most: int = 100
    limit_units: int = 1
    title: str = ""
    lobby_seconds: int = 0
    shuffle: bool = False
    pass_seconds: int = 300
    grace_seconds: int = 60
    one_per_email: bool = False
    seed: str = field(default_factory=lambda: secrets.token_hex(32))


def create(room: Stockroom, new: NewSale, who: str) -> Sale:
    """Announce a sale: from now on its SKUs can be had with its pass only.

    Raises InvalidInput (naming the field and what is allowed), UnknownSku, and NotAllowedNow where a SKU
    is in another sale that is not closed.
    """
    _check(new)
    now_ms = room.now_ms()
    with transaction(room.engine) as session:
        close_gate(session)
        _check_skus(session, new.skus)
        if session.scalar(select(Sale.id).where(Sale.slug == new.slug)):
            raise InvalidInput(f"There is a sale {new.slug!r} already; give another slug.", field="slug")
        fields = {name: value for name, value in vars(new).items() if name != "skus"}
        sale = Sale(**{**fields, "title": new.title or new.slug.replace("-", " ").title()}, created_at_ms=now_ms)
        sale.variants = [SaleSku(sku=sku) for sku in new.skus]
        session.add(sale)
        session.flush()
        _note(session, sale, now_ms, who, f"created: {_in_words(new)}")
        adjustments.restrict(session, new.skus, new.slug, new.limit_units)
    rebuild(room)
    return sale


def _in_words(new: NewSale) -> str:
    told = {name: value for name, value in vars(new).items() if name != "seed"}
    return ", ".join(f"{name}={value}" for name, value in told.items()) + f", seed_hash={seed_hash(new.seed)}"


def _check(new: NewSale) -> None:
    def require(good: bool, name: str, allowed: str) -> None:
        if not good:
            raise InvalidInput(f"{name} has to be {allowed}.", field=name)

    slug_is_good = SLUG.fullmatch(new.slug) and len(new.slug) <= LONGEST_SLUG
    require(bool(slug_is_good), "slug", f"small letters, digits and single hyphens, at most {LONGEST_SLUG}")
    require(1 <= len(set(new.skus)) == len(new.skus) <= 100, "sku", "1 to 100 different SKUs")
    require(0 < new.rate <= MOST_RATE, "rate", f"above 0 and at most {MOST_RATE:.0f} shoppers per second")
    require(1 <= new.active_most <= MOST_ACTIVE, "active", f"a whole number from 1 to {MOST_ACTIVE}")
    require(1 <= new.limit_units <= MOST_UNITS, "limit", f"a whole number from 1 to {MOST_UNITS}")
    require(10 <= new.pass_seconds <= 86_400, "pass_seconds", "from 10 to 86400")
    require(1 <= new.grace_seconds <= new.pass_seconds, "grace_seconds", "from 1 to the length of the pass")
    require(0 <= new.lobby_seconds <= 7 * 86_400, "lobby_seconds", "from 0 to 604800")
    require(not new.shuffle or new.lobby_seconds > 0, "shuffle", "used with a lobby only")
    require(len(new.title) <= 200, "title", "at most 200 characters long")
    require(0 < new.opens_at_ms < 10**14, "opens", "a time such as 2026-11-27T09:00:00+01:00")


def _check_skus(session: Session, skus: tuple[str, ...]) -> None:
    levels = {one.sku: one for one in session.scalars(select(StockLevel).where(StockLevel.sku.in_(skus)))}
    for sku in skus:
        if sku not in levels:
            raise UnknownSku(f"There is no SKU {sku!r}.", sku=sku)
        if levels[sku].sale:
            raise NotAllowedNow(f"SKU {sku!r} is in the sale {levels[sku].sale!r}; close that one first.", sku=sku)


def seed_hash(seed: str) -> str:
    """What is shown of a seed before the draw, so that it cannot be chosen after it."""
    return sha256(seed.encode()).hexdigest()


def find(room: Stockroom, slug: str) -> Sale:
    """A sale as SQL knows it. Raises UnknownSale."""
    sale = None
    if SLUG.fullmatch(slug):  # what else comes from outside may be no text for a database
        with Session(room.engine, expire_on_commit=False) as session:
            sale = session.scalars(select(Sale).where(Sale.slug == slug)).one_or_none()
    if sale is None:
        raise UnknownSale(f"There is no sale {slug!r}.", sale=slug)
    return sale


def all_sales(room: Stockroom, *, closed: bool = True) -> list[Sale]:
    """Every sale, the newest first; without those that are closed where `closed` says so."""
    query = select(Sale).order_by(Sale.id.desc())
    with Session(room.engine, expire_on_commit=False) as session:
        return list(session.scalars(query if closed else query.where(Sale.state != "closed")))


def lately_closed(room: Stockroom) -> list[Sale]:
    """The sales that were closed within the last hour."""
    since_ms = room.now_ms() - LATELY_MS
    with Session(room.engine, expire_on_commit=False) as session:
        return list(session.scalars(select(Sale).where(Sale.state == "closed", Sale.closed_at_ms > since_ms)))


def look(room: Stockroom, slug: str, tickets: Iterable[Ticket] = ()) -> tuple[Queue, list[Place]]:
    """As `queue.look`; a sale that is closed needs no queue to say so."""
    asked = list(tickets)
    try:
        return queue.look(room, slug, asked)
    except StockChecking:
        sale = find(room, slug)
        if sale.state != "closed":
            raise
        return _closed(sale, room.now_ms()), [Place("none")] * len(asked)


def _closed(sale: Sale, now_ms: int) -> Queue:
    return Queue(
        slug=sale.slug, title=sale.title, state=sale.state, message=sale.message, skus=tuple(sale.skus),
        epoch=sale.epoch, opens_at_ms=sale.opens_at_ms, limit_units=sale.limit_units, rate=sale.rate, waiting=0,
        active=0, joined=sale.joined, admitted=0, available=0, held=0, owed=0, came=0, left=0, span_ms=1,
        hold_until_ms=0, now_ms=now_ms,
    )  # fmt: skip


def changes(room: Stockroom, sale: Sale) -> list[SaleChange]:
    """The audit of a sale, the newest first."""
    with Session(room.engine, expire_on_commit=False) as session:
        query = select(SaleChange).where(SaleChange.sale_id == sale.id).order_by(SaleChange.id.desc())
        return list(session.scalars(query))


def change_state(room: Stockroom, slug: str, verb: str, who: str) -> Sale:
    """Open, pause, resume, drain or close a sale, and tell everybody. Raises UnknownSale and NotAllowedNow."""
    states, state = VERBS[verb]
    return turn(room, slug, state, who, verb, states)


def turn(room: Stockroom, slug: str, state: str, who: str, what: str, before: tuple[str, ...]) -> Sale:
    """Bring a sale from one of the states `before` into `state`. Raises UnknownSale and NotAllowedNow."""
    now_ms = room.now_ms()
    with transaction(room.engine) as session:
        sale = _locked(session, slug)
        if sale.state not in before:
            raise NotAllowedNow(
                f"The sale {slug!r} is {sale.state}; {what} is possible while it is {', '.join(before)}.",
                sale=slug, state=sale.state,
            )  # fmt: skip
        _note(session, sale, now_ms, who, f"{what}: {sale.state} -> {state}")
        sale.state = state
        sale.version += 1
        if state == "open":
            sale.opened_at_ms = sale.opened_at_ms or now_ms
        if state == "sold_out":
            sale.sold_out_at_ms = sale.sold_out_at_ms or now_ms
        if state == "closed":
            sale.closed_at_ms = now_ms
            close_gate(session)
            adjustments.restrict(session, sale.skus, None, None)
    if state == "closed":
        rebuild(room)
    describe(room, sale)
    return sale


def say(room: Stockroom, slug: str, message: str, who: str) -> Sale:
    """Say something to everybody who waits; empty takes it back. Raises UnknownSale and InvalidInput."""
    message = " ".join(message.split())
    if len(message) > LONGEST_MESSAGE:
        raise InvalidInput(f"A message has at most {LONGEST_MESSAGE} characters.", field="message")
    return _set(room, slug, who, f"message: {message!r}", message=message)


def set_pace(room: Stockroom, slug: str, who: str, *, rate: float, active_most: int) -> Sale:
    """Change how many are let in per second, and how many may be in at a time. Raises as `create`."""
    if not 0 < rate <= MOST_RATE:
        raise InvalidInput(f"rate has to be above 0 and at most {MOST_RATE:.0f} shoppers per second.", field="rate")
    if not 1 <= active_most <= MOST_ACTIVE:
        raise InvalidInput(f"active has to be a whole number from 1 to {MOST_ACTIVE}.", field="active")
    return _set(room, slug, who, f"pace: rate={rate}, active={active_most}", rate=rate, active_most=active_most)


def _set(room: Stockroom, slug: str, who: str, what: str, **fields: object) -> Sale:
    now_ms = room.now_ms()
    with transaction(room.engine) as session:
        sale = _locked(session, slug)
        for name, value in fields.items():
            setattr(sale, name, value)
        sale.version += 1
        _note(session, sale, now_ms, who, what)
    describe(room, sale)
    return sale


def _locked(session: Session, slug: str) -> Sale:
    sale = session.scalars(select(Sale).where(Sale.slug == slug).with_for_update()).one_or_none()
    if sale is None:
        raise UnknownSale(f"There is no sale {slug!r}.", sale=slug)
    return sale


def _note(session: Session, sale: Sale, at_ms: int, who: str, what: str) -> None:
    session.add(SaleChange(sale_id=sale.id, at_ms=at_ms, who=who, what=what[:1000]))


def describe(room: Stockroom, sale: Sale) -> None:
    """Let Redis know of a change; where it cannot be told now, the tick does so later."""
    with suppress(Unavailable, RedisError):
        queue.ask(room, scripts.describe, [keys.head(sale.slug)], sale.version, *head_of(sale))


def head_of(sale: Sale) -> list[str | int]:
    """What the scripts and the pages need to know of a sale: field, value, …"""
    fields: dict[str, str | int] = {
        "slug": sale.slug, "title": sale.title, "state": sale.state, "message": sale.message,
        "skus": "\n".join(sale.skus), "opens_at_ms": sale.opens_at_ms, "opened_at_ms": sale.opened_at_ms or 0,
        "shuffle": int(sale.shuffle), "seed": sale.seed, "rate": repr(sale.rate), "active_most": sale.active_most,
        "pass_ms": sale.pass_seconds * 1000, "grace_ms": sale.grace_seconds * 1000,
        "limit_units": sale.limit_units, "one_per_email": int(sale.one_per_email),
    }  # fmt: skip
    return [part for pair in fields.items() for part in pair]


# --- what pages ask


def gates(room: Stockroom, skus: Sequence[str]) -> dict[str, str]:
    """Which of `skus` are sold through a sale: SKU -> its slug."""
    query = select(StockLevel.sku, StockLevel.sale).where(StockLevel.sku.in_(skus), StockLevel.sale.is_not(None))
    with Session(room.engine) as session:
        return {sku: slug for sku, slug in session.execute(query) if slug}


def on_show(room: Stockroom, most: int = 3) -> list[Sale]:
    """The sales that the front page speaks of: those next to open, or open longest, first."""
    query = select(Sale).where(Sale.state.not_in(("closed", "draining"))).order_by(Sale.opens_at_ms).limit(most)
    with Session(room.engine, expire_on_commit=False) as session:
        return list(session.scalars(query))
