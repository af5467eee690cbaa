"""The link to an ERP: one holder at a time, and a breaker before an ERP that does not answer.

The lease is a row in SQL with a token that rises with each holder (a fencing token, Kleppmann 2016): every
write of a holder checks it in the same transaction, so one that was asleep past his time can mark nothing.
"""

import os
import random
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import bindparam, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from storefront.core.db import transaction
from storefront.erp.adapter import ErpAuthFailed, ErpThrottled
from storefront.erp.models import ErpLink
from storefront.stock.stockroom import Stockroom

TRIPS_AT = 5  # failures in a row
SHORTEST_MS, LONGEST_MS = 1_000, 300_000


_link = ErpLink.__table__
_ANSWERED = (
    update(_link)
    .where(_link.c.adapter == bindparam("its_adapter"), _link.c.token == bindparam("its_token"))
    .values(
        held_until_ms=bindparam("until_ms"), answered_at_ms=bindparam("now_ms"), failures=0, open_until_ms=0, error=""
    )
)


class LeaseLost(Exception):
    """Somebody else holds the link by now; what was about to be written was not."""


@dataclass(frozen=True)
class Lease:
    """The right to talk to an ERP, until it runs out or somebody with a higher token writes."""

    adapter: str
    token: int
    ms: int


def pause_ms(tries: int) -> int:
    """How long to wait after so many tries: full jitter between 1 s and 5 min (Brooker, AWS 2015)."""
    return random.randint(SHORTEST_MS, max(SHORTEST_MS, min(LONGEST_MS, SHORTEST_MS * 2 ** min(tries, 20))))


@contextmanager
def leased(room: Stockroom, adapter: str, ms: int) -> Iterator[Lease | None]:
    """Hold the link for `ms` (renewed by `check`); None where somebody else does."""
    lease = _take(room, adapter, ms)
    try:
        yield lease
    finally:
        if lease:
            _give_back(room, lease)


def _take(room: Stockroom, adapter: str, ms: int) -> Lease | None:
    _make(room, adapter)
    now_ms = room.now_ms()
    with transaction(room.engine) as session:
        token = session.scalar(
            update(ErpLink)
            .where(ErpLink.adapter == adapter, ErpLink.held_until_ms <= now_ms)
            .values(token=ErpLink.token + 1, holder=_holder(), held_until_ms=now_ms + ms)
            .returning(ErpLink.token),
            execution_options={"synchronize_session": False},
        )
    return Lease(adapter, token, ms) if token is not None else None


def _make(room: Stockroom, adapter: str) -> None:
    with Session(room.engine) as session:
        if session.get(ErpLink, adapter):
            return
    try:
        with transaction(room.engine) as session:
            session.add(ErpLink(adapter=adapter))
    except IntegrityError:
        pass  # another process was first


def _holder() -> str:
    return f"{socket.gethostname()[:60]}:{os.getpid()}:{threading.get_ident()}"


def _give_back(room: Stockroom, lease: Lease) -> None:
    with transaction(room.engine) as session:
        session.execute(
            update(ErpLink)
            .where(ErpLink.adapter == lease.adapter, ErpLink.token == lease.token)
            .values(held_until_ms=0),
            execution_options={"synchronize_session": False},
        )


def check(session: Session, lease: Lease, now_ms: int) -> ErpLink:
    """The link, locked for this transaction and held for longer. Raises LeaseLost."""
    link = session.scalars(select(ErpLink).where(ErpLink.adapter == lease.adapter).with_for_update()).one()
    if link.token != lease.token:
        raise LeaseLost(f"the link to {lease.adapter} is held by {link.holder}")
    link.held_until_ms = now_ms + lease.ms
    return link


def check_answered(session: Session, lease: Lease, now_ms: int) -> None:
    """As `check`, and note that the ERP has answered (see `note_answer`), in one step. Raises LeaseLost."""
    held = session.execute(
        _ANSWERED,
        {"its_adapter": lease.adapter, "its_token": lease.token, "until_ms": now_ms + lease.ms, "now_ms": now_ms},
    )
    if held.rowcount == 0:  # type: ignore[attr-defined]
        check(session, lease, now_ms)  # which says who holds it


def look(room: Stockroom, adapter: str) -> ErpLink:
    """The link as it stands; a new one where it was never used."""
    with Session(room.engine) as session:
        return session.get(ErpLink, adapter) or ErpLink(
            adapter=adapter, token=0, holder="", held_until_ms=0, failures=0, open_until_ms=0, error="", alarm="",
            answered_at_ms=None, read_at_ms=0,
        )  # fmt: skip


def breaker_of(link: ErpLink, now_ms: int) -> str:
    """closed: it works. open: nothing is sent for now. half-open: the next call is a probe."""
    if link.open_until_ms > now_ms:
        return "open"
    return "half-open" if link.failures >= TRIPS_AT else "closed"


def note_answer(link: ErpLink, now_ms: int) -> None:
    """The ERP has answered, be it that it refuses: the breaker closes."""
    link.failures, link.open_until_ms, link.error, link.answered_at_ms = 0, 0, "", now_ms


def note_failure(link: ErpLink, error: Exception, now_ms: int) -> None:
    """The ERP has not answered as agreed; after a few times nothing is sent for a while."""
    link.error = f"{type(error).__name__}: {error}"[:2000]
    if isinstance(error, ErpThrottled):
        link.open_until_ms = now_ms + int(error.after_seconds * 1000)
        return
    link.failures = max(link.failures + 1, TRIPS_AT if isinstance(error, ErpAuthFailed) else 0)
    if link.failures >= TRIPS_AT:
        link.open_until_ms = now_ms + pause_ms(link.failures - TRIPS_AT + 3)
