"""People on the waiting list of the sale `drop`, and the mails they are sent."""

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from storefront.core.mail import Mailer, open_mailer
from storefront.stock.stockroom import Stockroom
from storefront.waiting_room.models import WaitingListEntry
from storefront.waiting_room.waiting_list import entries, mails
from storefront.waiting_room.waiting_list.letters import Letterhead
from tests.postbox import Postbox

SENDER = "Shop <shop@example.org>"
LETTERHEAD = Letterhead("The Shop", "https://shop.example.org")


@pytest.fixture
def postbox() -> Iterator[Postbox]:
    with Postbox() as postbox:
        yield postbox


@pytest.fixture
def mailer(postbox: Postbox) -> Mailer:
    return open_mailer(f"smtp://127.0.0.1:{postbox.serve()}", SENDER)


@pytest.fixture
def deliver(room: Stockroom, mailer: Mailer) -> Callable[[], mails.Sent]:
    """Send all mails that are due."""
    return lambda: mails.send_due(room, mailer, LETTERHEAD)


@pytest.fixture
def token_of(room: Stockroom) -> Callable[[str], str]:
    """The token in the mails to an address."""

    def find(email: str) -> str:
        with Session(room.engine) as session:
            query = select(WaitingListEntry.token).where(WaitingListEntry.email == email)
            return session.scalars(query).one()

    return find


@pytest.fixture
def enlist(room: Stockroom, token_of: Callable[[str], str]) -> Callable[..., None]:
    """Put people on the list, confirmed: `enlist("ada", "bob")`."""

    def all_of(*names: str) -> None:
        for name in names:
            entries.ask(room, "drop", f"{name}@example.org")
            entries.confirm(room, token_of(f"{name}@example.org"))

    return all_of
