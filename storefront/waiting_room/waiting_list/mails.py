"""Sending what was written: each mail by one job only, and again later where that failed, a few times."""

import logging
import threading
from dataclasses import dataclass

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from storefront.catalog.lookup import variants_by_sku
from storefront.core.db import transaction
from storefront.core.mail import Mail, Mailer, MailFailed, MailRefused
from storefront.stock.stockroom import Stockroom
from storefront.waiting_room.models import Sale, WaitingListEntry, WaitingListMail
from storefront.waiting_room.waiting_list.letters import Letterhead, letter

PAUSES_MS = [minutes * 60_000 for minutes in (3, 10, 30)]  # after each try; none of them takes as long as the first
AT_ONCE = 100

log = logging.getLogger(__name__)


@dataclass
class Sent:
    """What became of the mails that were due."""

    sent: int = 0
    failed: int = 0
    refused: int = 0


class Postman:
    """Sends what is due in a thread of its own: a mail server may be slow, and the worker has people to let in."""

    def __init__(self, room: Stockroom, mailer: Mailer, letterhead: Letterhead):
        self._room, self._mailer, self._letterhead = room, mailer, letterhead
        self._busy = threading.Lock()

    def start(self) -> bool:
        """Go, unless he is under way already; return whether he went."""
        if not self._busy.acquire(blocking=False):
            return False
        threading.Thread(target=self._run, name="postman", daemon=True).start()
        return True

    def _run(self) -> None:
        try:
            send_due(self._room, self._mailer, self._letterhead)
        except Exception:
            log.exception("mails could not be sent; the next round tries again")
        finally:
            self._busy.release()


def send_due(room: Stockroom, mailer: Mailer, letterhead: Letterhead) -> Sent:
    """Send every mail that is due, the oldest first; at the first failure leave the others for the next round."""
    done = Sent()
    for row_id in _due(room):
        mail = _claim(room, row_id, letterhead)
        if mail is None:
            continue  # another job was first, or the address was taken off the list
        try:
            mailer.send(mail)
        except MailRefused as refusal:
            done.refused += 1
            log.warning("a mail was refused for good: %s", refusal)
            _note(room, row_id, due_at_ms=None)
        except MailFailed as failure:
            done.failed += 1
            log.warning("a mail could not be sent: %s", failure)
            break
        else:
            done.sent += 1
            _note(room, row_id, due_at_ms=None, sent_at_ms=room.now_ms())
    return done


def _due(room: Stockroom) -> list[int]:
    row, now_ms = WaitingListMail, room.now_ms()
    with Session(room.engine) as session:
        return list(session.scalars(select(row.id).where(row.due_at_ms <= now_ms).order_by(row.id).limit(AT_ONCE)))


def _claim(room: Stockroom, row_id: int, letterhead: Letterhead) -> Mail | None:
    """Take a mail on, as its only sender; until its next try is due nobody else does. None where it is gone or taken.

    Should this process die now, the next try may be a second mail. It bears the same Message-ID.
    """
    now_ms = room.now_ms()
    with transaction(room.engine) as session:
        row = session.get(WaitingListMail, row_id, with_for_update=True)
        if row is None or row.due_at_ms is None or row.due_at_ms > now_ms:
            return None
        row.due_at_ms = now_ms + PAUSES_MS[row.tries] if row.tries < len(PAUSES_MS) else None
        row.tries += 1
        entry = session.get_one(WaitingListEntry, row.entry_id)
        sale = session.get_one(Sale, entry.sale_id)
        return letter(letterhead, row, entry, sale, _page_of(room, sale))


def _page_of(room: Stockroom, sale: Sale) -> str:
    """Where units of a sale can be had: its own page, and once it is closed that of a product."""
    variants = variants_by_sku(room.engine, sale.skus) if sale.state == "closed" else {}
    return f"/products/{next(iter(variants.values())).product.slug}" if variants else f"/sales/{sale.slug}"


def _note(room: Stockroom, row_id: int, **fields: int | None) -> None:
    with transaction(room.engine) as session:
        session.execute(update(WaitingListMail).where(WaitingListMail.id == row_id).values(**fields))
