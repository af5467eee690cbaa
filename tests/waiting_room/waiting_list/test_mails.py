"""The mails of the waiting list, over a real SMTP server: each is sent once, and a failed one again, a few times."""

import time
from collections.abc import Callable
from functools import partial

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from storefront.core.db import transaction
from storefront.core.mail import Mailer, open_mailer
from storefront.stock import adjustments
from storefront.stock.stockroom import Stockroom
from storefront.waiting_room import sales
from storefront.waiting_room.models import Sale, WaitingListMail
from storefront.waiting_room.waiting_list import entries, mails, units
from storefront.waiting_room.waiting_list.mails import Postman, Sent
from tests.cart.shelf import all_at_once, shelve
from tests.postbox import Postbox
from tests.running import free_port
from tests.waiting_room.waiting_list.conftest import LETTERHEAD, SENDER


def let_pauses_pass(room: Stockroom) -> None:
    with transaction(room.engine) as session:
        session.execute(
            update(WaitingListMail).where(WaitingListMail.due_at_ms.is_not(None)).values(due_at_ms=room.now_ms())
        )


def rows(room: Stockroom) -> list[WaitingListMail]:
    with Session(room.engine) as session:
        return list(session.scalars(select(WaitingListMail).order_by(WaitingListMail.id)))


def test_the_mail_asks_for_a_confirmation_and_leads_to_it(
    room: Stockroom, sale_of: Callable[..., Sale], postbox: Postbox, deliver: Callable[[], Sent],
    token_of: Callable[[str], str],
) -> None:  # fmt: skip
    sale_of(title="The  big\ndrop")
    entries.ask(room, "drop", "ada@example.org")

    first, again = deliver(), deliver()

    (mail,), (text,) = postbox.mails, postbox.texts()
    link = f"https://shop.example.org/waiting-list/{token_of('ada@example.org')}"
    assert (first, again) == (Sent(sent=1), Sent())
    assert (mail["To"], mail["From"]) == ("ada@example.org", SENDER)
    assert mail["Subject"] == "Please confirm: the waiting list of The big drop"
    assert mail["List-Unsubscribe"] == f"<{link}>"
    assert link in text


def test_when_units_come_back_the_mail_leads_to_them_and_promises_nothing(
    room: Stockroom, sale_of: Callable[..., Sale], enlist: Callable[..., None], postbox: Postbox,
    deliver: Callable[[], Sent],
) -> None:  # fmt: skip
    shelve(MUG=0)
    sale_of(units=0)
    enlist("ada")
    deliver()
    sales.change_state(room, "drop", "close", "ops")
    adjustments.receive(room, "MUG", 1, "delivery")
    units.tell(room)

    deliver()

    assert postbox.mails[-1]["Subject"] == "Drop: there are units again"
    assert "https://shop.example.org/products/mug\n" in postbox.texts()[-1]
    assert "They are not kept for you" in postbox.texts()[-1]


def test_four_jobs_at_once_send_each_mail_once(
    room: Stockroom, sale_of: Callable[..., Sale], postbox: Postbox, mailer: Mailer
) -> None:
    sale_of()
    for number in range(10):
        entries.ask(room, "drop", f"shopper-{number}@example.org")

    sent = all_at_once([partial(mails.send_due, room, mailer, LETTERHEAD)] * 4)

    assert sum(one.sent for one in sent) == 10
    assert sorted(mail["To"] for mail in postbox.mails) == [f"shopper-{number}@example.org" for number in range(10)]


def test_a_mail_that_failed_is_tried_again_later_and_given_up_after_four_times(
    room: Stockroom, sale_of: Callable[..., Sale], postbox: Postbox, deliver: Callable[[], Sent]
) -> None:
    sale_of()
    entries.ask(room, "drop", "ada@example.org")
    postbox.answer_to_rcpt = "450 Try again later"

    outcomes = [deliver(), deliver()]
    for _ in range(4):
        let_pauses_pass(room)
        outcomes.append(deliver())

    assert outcomes == [Sent(failed=1), Sent(), Sent(failed=1), Sent(failed=1), Sent(failed=1), Sent()]
    assert [(row.tries, row.sent_at_ms) for row in rows(room)] == [(4, None)]


def test_after_a_failure_the_second_try_gets_through_with_the_same_id(
    room: Stockroom, sale_of: Callable[..., Sale], postbox: Postbox, deliver: Callable[[], Sent]
) -> None:
    sale_of()
    entries.ask(room, "drop", "ada@example.org")
    deliver_to_nobody = open_mailer(f"smtp://127.0.0.1:{free_port()}", SENDER)
    failed = mails.send_due(room, deliver_to_nobody, LETTERHEAD)
    let_pauses_pass(room)

    sent = deliver()

    assert (failed, sent) == (Sent(failed=1), Sent(sent=1))
    assert postbox.mails[0]["Message-ID"].startswith("<waiting-list-1-")


def test_a_mail_that_is_refused_for_good_is_not_tried_again_and_holds_nobody_up(
    room: Stockroom, sale_of: Callable[..., Sale], postbox: Postbox, deliver: Callable[[], Sent]
) -> None:
    sale_of()
    for name in ("ada", "bob"):
        entries.ask(room, "drop", f"{name}@example.org")
    postbox.answer_to_rcpt = "550 No such user"

    refused = deliver()
    let_pauses_pass(room)

    assert (refused, deliver()) == (Sent(refused=2), Sent())


def test_while_the_server_is_away_one_try_is_enough_for_all(room: Stockroom, sale_of: Callable[..., Sale]) -> None:
    sale_of()
    for name in ("ada", "bob", "cyd"):
        entries.ask(room, "drop", f"{name}@example.org")
    nobody = open_mailer(f"smtp://127.0.0.1:{free_port()}", SENDER)

    assert mails.send_due(room, nobody, LETTERHEAD) == Sent(failed=1)
    assert [row.tries for row in rows(room)] == [1, 0, 0]


def test_who_left_the_list_gets_no_mail_any_more(
    room: Stockroom, sale_of: Callable[..., Sale], postbox: Postbox, deliver: Callable[[], Sent],
    token_of: Callable[[str], str],
) -> None:  # fmt: skip
    sale_of()
    entries.ask(room, "drop", "ada@example.org")
    entries.leave(room, token_of("ada@example.org"))

    deliver()

    assert postbox.mails == []


def test_the_postman_keeps_nobody_waiting_and_goes_one_round_at_a_time(
    room: Stockroom, sale_of: Callable[..., Sale], postbox: Postbox, mailer: Mailer
) -> None:
    sale_of()
    entries.ask(room, "drop", "ada@example.org")
    postman = Postman(room, mailer, LETTERHEAD)

    went = [postman.start(), postman.start()]
    until = time.monotonic() + 10
    while not postbox.mails and time.monotonic() < until:
        time.sleep(0.01)

    assert went == [True, False]
    assert len(postbox.mails) == 1
