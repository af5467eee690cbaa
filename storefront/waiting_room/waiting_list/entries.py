"""Who is on the waiting list. Nobody is before he has said so from his own mailbox (double opt-in)."""

import secrets
from dataclasses import dataclass
from typing import Any

from email_validator import EmailNotValidError, validate_email
from sqlalchemy import ColumnElement, delete, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, aliased

from storefront.core.db import transaction
from storefront.core.errors import InvalidInput, Refusal
from storefront.stock.stockroom import Stockroom
from storefront.waiting_room import sales
from storefront.waiting_room.models import Sale, WaitingListEntry, WaitingListMail

MOST_MAILS_PER_HOUR = 5  # to one address, over all sales
HOUR_MS = 3_600_000
KEPT_MS = 48 * HOUR_MS  # an address that was never confirmed, or has been told


class UnknownEntry(Refusal):
    code, status, title = "unknown_entry", 404, "This link is of no use any more"


@dataclass(frozen=True)
class Listed:
    """An entry as its owner sees it."""

    token: str
    email: str
    confirmed: bool
    told: bool
    sale_slug: str
    sale_title: str


def check_email(raw: object) -> str:
    """An address as the list keeps it, in small letters. Raises InvalidInput."""
    try:
        if not isinstance(raw, str):
            raise EmailNotValidError("Give it as a text.")
        found = validate_email(raw.strip(), check_deliverability=False, allow_smtputf8=False)
    except EmailNotValidError as error:
        raise InvalidInput(f"This is not an e-mail address. {error}", field="email") from error
    return (found.ascii_email or found.normalized).lower()


def ask(room: Stockroom, slug: str, email: str) -> None:
    """Put an address on the list of a sale, once its owner confirms it: he is sent a mail.

    Whether it was there already cannot be told from outside: nothing is returned, and the mail is
    sent later. Raises UnknownSale.
    """
    sale = sales.find(room, slug)
    try:
        _ask(room, sale, email)
    except IntegrityError:
        pass  # the same was asked at the same moment


def _ask(room: Stockroom, sale: Sale, email: str) -> None:
    now_ms = room.now_ms()
    with transaction(room.engine) as session:
        query = select(WaitingListEntry).where(WaitingListEntry.sale_id == sale.id, WaitingListEntry.email == email)
        entry = session.scalars(query.with_for_update()).one_or_none()
        if entry is None:
            token = secrets.token_urlsafe(32)
            entry = WaitingListEntry(sale_id=sale.id, email=email, token=token, created_at_ms=now_ms)
            session.add(entry)
            session.flush()
        elif entry.told_at_ms:  # he wants to hear of it once more
            entry.created_at_ms, entry.confirmed_at_ms, entry.told_at_ms = now_ms, None, None
        if entry.confirmed_at_ms is None and not _is_mailed_enough(session, email, now_ms):
            write(session, entry, "confirm", now_ms)


def write(session: Session, entry: WaitingListEntry, kind: str, now_ms: int) -> None:
    """Have a mail sent, once the caller's transaction is committed."""
    session.add(WaitingListMail(entry_id=entry.id, kind=kind, created_at_ms=now_ms, due_at_ms=now_ms))


def _is_mailed_enough(session: Session, email: str, now_ms: int) -> bool:
    return (session.scalar(select(mails_within_the_hour(email, now_ms))) or 0) >= MOST_MAILS_PER_HOUR


def mails_within_the_hour(email: Any, now_ms: int) -> ColumnElement[int]:
    """How many mails of the list an address (a text or a column) was written within the last hour."""
    entry = aliased(WaitingListEntry)
    return (
        select(func.count(WaitingListMail.id))
        .join(entry, entry.id == WaitingListMail.entry_id)
        .where(entry.email == email, WaitingListMail.created_at_ms > now_ms - HOUR_MS)
        .scalar_subquery()
    )


def find(room: Stockroom, token: str) -> Listed:
    """The entry that belongs to the link in a mail. Raises UnknownEntry."""
    with Session(room.engine) as session:
        return _listed(session, _entry(session, token))


def confirm(room: Stockroom, token: str) -> Listed:
    """Take an address into the list for good; again does no harm. Raises UnknownEntry."""
    now_ms = room.now_ms()
    with transaction(room.engine) as session:
        entry = _entry(session, token)
        entry.confirmed_at_ms = entry.confirmed_at_ms or now_ms
        return _listed(session, entry)


def leave(room: Stockroom, token: str) -> None:
    """Forget an address; again does no harm."""
    with transaction(room.engine) as session:
        _forget(session, WaitingListEntry.token == token)


def forget_old(room: Stockroom) -> int:
    """Forget addresses that nobody confirmed in time, and those that have been told; return how many."""
    before_ms = room.now_ms() - KEPT_MS
    unconfirmed = WaitingListEntry.confirmed_at_ms.is_(None) & (WaitingListEntry.created_at_ms < before_ms)
    with transaction(room.engine) as session:
        return _forget(session, unconfirmed | (WaitingListEntry.told_at_ms < before_ms))


def _forget(session: Session, which: ColumnElement[bool]) -> int:
    of_them = WaitingListMail.entry_id.in_(select(WaitingListEntry.id).where(which))
    session.execute(delete(WaitingListMail).where(of_them), execution_options={"synchronize_session": False})
    gone = session.execute(delete(WaitingListEntry).where(which), execution_options={"synchronize_session": False})
    return gone.rowcount  # type: ignore[attr-defined]


def _entry(session: Session, token: str) -> WaitingListEntry:
    query = select(WaitingListEntry).where(WaitingListEntry.token == token).with_for_update()
    entry = session.scalars(query).one_or_none()
    if entry is None:
        raise UnknownEntry("The address is not on the list any more.")
    return entry


def _listed(session: Session, entry: WaitingListEntry) -> Listed:
    sale = session.get_one(Sale, entry.sale_id)
    return Listed(
        token=entry.token,
        email=entry.email,
        confirmed=entry.confirmed_at_ms is not None,
        told=entry.told_at_ms is not None,
        sale_slug=sale.slug,
        sale_title=sale.title,
    )


def count(room: Stockroom, sale: Sale) -> dict[str, int]:
    """How many have asked to be on the list of a sale, have confirmed it, and have been told."""
    entry = WaitingListEntry
    numbers = func.count(entry.id), func.count(entry.confirmed_at_ms), func.count(entry.told_at_ms)
    with Session(room.engine) as session:
        asked, confirmed, told = session.execute(select(*numbers).where(entry.sale_id == sale.id)).one()
    return {"asked": asked, "confirmed": confirmed, "told": told}
