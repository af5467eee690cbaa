"""What the mails of the waiting list say."""

from collections.abc import Callable
from dataclasses import dataclass

from storefront.core.mail import Mail
from storefront.waiting_room.models import Sale, WaitingListEntry, WaitingListMail

CONFIRM = """\
Hello,

somebody, probably you, would like to hear from {shop} when "{sale}" has units again.

If it was you, please confirm it here:
{link}

If it was not, do nothing. You will hear no more of it, and your address is forgotten after two days.
"""

UNITS = """\
Hello,

"{sale}" has units again:
{page}

They are not kept for you: others have had this mail too, and whoever comes first has the better place.

This was the only mail of this kind; your address is forgotten after two days. To be forgotten at once:
{link}
"""


@dataclass(frozen=True)
class Letterhead:
    """Who writes, and where the links lead: the shop's address without a slash at its end."""

    shop_name: str
    shop_url: str


def letter(letterhead: Letterhead, row: WaitingListMail, entry: WaitingListEntry, sale: Sale, page: str) -> Mail:
    """The mail of a row. page: path of the page where units can be had."""
    link = f"{letterhead.shop_url}/waiting-list/{entry.token}"
    title = " ".join(sale.title.split())
    subject, text = SUBJECTS[row.kind](title), TEXTS[row.kind]
    return Mail(
        to=entry.email,
        subject=subject,
        text=text.format(shop=letterhead.shop_name, sale=title, link=link, page=letterhead.shop_url + page),
        id=f"waiting-list-{row.id}-{row.created_at_ms}",
        unsubscribe_url=link,
    )


TEXTS = {"confirm": CONFIRM, "units": UNITS}
SUBJECTS: dict[str, Callable[[str], str]] = {
    "confirm": lambda sale: f"Please confirm: the waiting list of {sale}",
    "units": lambda sale: f"{sale}: there are units again",
}
