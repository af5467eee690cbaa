"""The waiting list: nobody is on it before he has confirmed it, and from outside nobody sees who is."""

from collections.abc import Callable
from functools import partial

import pytest
from flask import Flask
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from storefront.core.db import transaction
from storefront.core.errors import InvalidInput
from storefront.stock.stockroom import Stockroom
from storefront.waiting_room.models import Sale, WaitingListEntry, WaitingListMail
from storefront.waiting_room.outcomes import UnknownSale
from storefront.waiting_room.waiting_list import entries
from storefront.waiting_room.waiting_list.entries import UnknownEntry
from tests.cart.shelf import all_at_once


def mails_written(room: Stockroom) -> int:
    with Session(room.engine) as session:
        return session.scalars(select(func.count(WaitingListMail.id))).one()


def let_pass(room: Stockroom, hours: int) -> None:
    """Make all entries and their mails so much older."""
    times = {WaitingListEntry: ("created_at_ms", "confirmed_at_ms", "told_at_ms"), WaitingListMail: ("created_at_ms",)}
    with transaction(room.engine) as session:
        for model, names in times.items():
            older = {name: getattr(model, name) - hours * entries.HOUR_MS for name in names}
            session.execute(update(model).values(**older))


def test_who_asks_is_on_the_list_once_he_confirms(
    room: Stockroom, sale_of: Callable[..., Sale], token_of: Callable[[str], str]
) -> None:
    sale = sale_of()
    entries.ask(room, "drop", "ada@example.org")

    before = entries.count(room, sale)
    listed = entries.confirm(room, token_of("ada@example.org"))

    assert before == {"asked": 1, "confirmed": 0, "told": 0}
    assert (listed.confirmed, listed.email, listed.sale_slug) == (True, "ada@example.org", "drop")
    assert entries.count(room, sale) == {"asked": 1, "confirmed": 1, "told": 0}


def test_confirming_again_keeps_the_place_on_the_list(
    room: Stockroom, sale_of: Callable[..., Sale], enlist: Callable[..., None], token_of: Callable[[str], str]
) -> None:
    sale_of()
    enlist("ada")
    let_pass(room, 1)

    entries.confirm(room, token_of("ada@example.org"))

    with Session(room.engine) as session:
        confirmed_at_ms = session.scalars(select(WaitingListEntry.confirmed_at_ms)).one()
    assert confirmed_at_ms is not None
    assert confirmed_at_ms < room.now_ms() - entries.HOUR_MS // 2


def test_whoever_is_on_the_list_is_not_asked_again(
    room: Stockroom, sale_of: Callable[..., Sale], enlist: Callable[..., None]
) -> None:
    sale_of()
    enlist("ada")

    entries.ask(room, "drop", "ada@example.org")

    assert mails_written(room) == 1


def test_nobody_can_be_flooded_with_mails(room: Stockroom, sale_of: Callable[..., Sale]) -> None:
    sale_of()
    for _ in range(2 * entries.MOST_MAILS_PER_HOUR):
        entries.ask(room, "drop", "ada@example.org")
    within_the_hour = mails_written(room)

    let_pass(room, 1)
    entries.ask(room, "drop", "ada@example.org")

    assert within_the_hour == entries.MOST_MAILS_PER_HOUR
    assert mails_written(room) == entries.MOST_MAILS_PER_HOUR + 1


def test_asking_many_times_at_once_is_asking_once(app: Flask, room: Stockroom, sale_of: Callable[..., Sale]) -> None:
    sale = sale_of()

    for number in range(5):  # at first there are not enough connections for all to be there at once
        all_at_once([partial(entries.ask, room, "drop", f"shopper-{number}@example.org")] * 8)

    assert entries.count(room, sale)["asked"] == 5
    assert mails_written(room) <= 5 * entries.MOST_MAILS_PER_HOUR


def test_who_leaves_is_forgotten_with_all_his_mails(
    room: Stockroom, sale_of: Callable[..., Sale], enlist: Callable[..., None], token_of: Callable[[str], str]
) -> None:
    sale = sale_of()
    enlist("ada", "bob")
    token = token_of("ada@example.org")

    entries.leave(room, token)
    entries.leave(room, token)

    assert entries.count(room, sale)["asked"] == 1
    assert mails_written(room) == 1
    with pytest.raises(UnknownEntry):
        entries.confirm(room, token)
    assert entries.find(room, token_of("bob@example.org")).confirmed


def test_what_was_never_confirmed_is_forgotten_and_what_was_is_not(
    room: Stockroom, sale_of: Callable[..., Sale], enlist: Callable[..., None]
) -> None:
    sale = sale_of()
    enlist("ada")
    entries.ask(room, "drop", "bob@example.org")

    early = entries.forget_old(room)
    let_pass(room, 49)
    late = entries.forget_old(room)

    assert (early, late) == (0, 1)
    assert entries.count(room, sale) == {"asked": 1, "confirmed": 1, "told": 0}


def test_an_unknown_sale_has_no_list(room: Stockroom) -> None:
    with pytest.raises(UnknownSale):
        entries.ask(room, "drop", "ada@example.org")


def test_an_address_is_kept_in_small_letters_so_that_it_is_one() -> None:
    assert entries.check_email(" Ada@EXAMPLE.org") == "ada@example.org"
    assert entries.check_email("ada@münchen.de") == "ada@xn--mnchen-3ya.de"


@pytest.mark.parametrize("raw", [
    None, "", 7, "ada", "ada@", "@example.org", "ada@example.org\r\nBcc: all@example.org", "a b@example.org",
    "ada@example.org,bob@example.org", "Ada <ada@example.org>", f"{'a' * 300}@example.org", "ada@[127.0.0.1]",
])  # fmt: skip
def test_what_is_no_address_is_refused(raw: object) -> None:
    with pytest.raises(InvalidInput):
        entries.check_email(raw)
