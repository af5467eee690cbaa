"""The queue in Redis: look, leave, arrive, extend, move. Each verb is one script, safe to run again.

The scripts answer "checking" where the queue was not built on the server behind the connection; the
tick (tick.py) then builds it anew within a second.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from redis.exceptions import NoScriptError

from storefront.core.lua import Script
from storefront.stock.stockroom import Stockroom
from storefront.waiting_room import keys, scripts
from storefront.waiting_room.outcomes import (
    NoPass,
    NothingToMove,
    PassExtensionLimit,
    Place,
    Queue,
    Ticket,
)

MOST_EXTENSIONS = 2
MOST_LOOKED_AT = 500  # in one script: 2 ms at a million people


def ask(room: Stockroom, script: Script, names: Sequence[str], *arguments: Any) -> Any:
    """Run a script of the waiting room. Raises StockChecking where the queue cannot be trusted just now."""

    def question(_epoch: int) -> Any:
        run_id = room.fence.run_id
        try:
            return script(room.redis, names, run_id, *arguments)
        except NoScriptError:
            room.redis.script_load(script.source)
            return script(room.redis, names, run_id, *arguments)

    return room.ask("", question, closed=lambda answer: answer == "checking")


def look(room: Stockroom, slug: str, tickets: Iterable[Ticket] = ()) -> tuple[Queue, list[Place]]:
    """The queue of a sale, and the places of those who hold `tickets` (at most 500), as of one moment.

    Whoever shows a ticket from before the queue was lost is put back to his place by it.
    """
    asked = list(tickets)
    assert len(asked) <= MOST_LOOKED_AT
    names = [name(slug) for name in (keys.head, keys.line, keys.admitted, keys.active, keys.flow)]
    arguments = [part for one in asked for part in (one.shopper, one.epoch, one.ordinal, int(one.drawn))]
    answer = ask(room, scripts.look, names, *arguments)
    head = dict(zip(answer[0][::2], answer[0][1::2], strict=True))
    places = [_place(ticket.shopper, *found) for ticket, found in zip(asked, answer[7], strict=True)]
    return _queue(slug, head, *answer[1:7]), places


def _queue(
    slug: str, head: dict[str, str], waiting: int, active: int, came: int, left: int, span: int, now: int
) -> Queue:
    def number(name: str) -> int:
        return int(head.get(name) or 0)

    return Queue(
        slug=slug,
        title=head["title"],
        state=head["state"],
        message=head["message"],
        skus=tuple(head["skus"].split("\n")),
        epoch=number("epoch"),
        opens_at_ms=number("opens_at_ms"),
        limit_units=number("limit_units"),
        rate=float(head["rate"]),
        waiting=waiting,
        active=active,
        joined=number("joined"),
        admitted=number("admitted"),
        available=int(head["available"]) if head.get("available", "") != "" else None,
        held=number("held"),
        owed=number("owed"),
        came=came,
        left=left,
        span_ms=span,
        hold_until_ms=number("hold_until_ms"),
        now_ms=now,
    )


def _place(shopper: str, state: str, first: int = 0, second: Any = None) -> Place:
    if state == "none":
        return Place(state)
    if state == "waiting":
        epoch, ordinal, drawn = second
        return Place(state, position=first or None, ticket=Ticket(shopper, epoch, ordinal, bool(drawn)))
    return Place(state, expires_at_ms=first, extensions=second)


def leave(room: Stockroom, slug: str, shopper: str) -> bool:
    """Give up a place or an admission; return whether there was one."""
    names = [
        name(slug) for name in (keys.head, keys.line, keys.admitted, keys.active, keys.news, keys.flow)
    ]  # fmt: skip
    return bool(ask(room, scripts.leave, names, shopper))


def arrive(room: Stockroom, slug: str, shopper: str) -> Place:
    """Take note that an admitted shopper has shown up; return what he has. Nothing happens to others."""
    state, expires_at_ms, extensions = ask(room, scripts.arrive, _of_admission(slug), shopper)
    return Place(state, expires_at_ms=expires_at_ms or None, extensions=extensions)


def extend_pass(room: Stockroom, slug: str, shopper: str) -> int:
    """Give a pass its full length once more; return its end in ms. Raises NoPass and PassExtensionLimit."""
    outcome, expires_at_ms, _ = ask(room, scripts.extend_pass, _of_admission(slug), shopper, MOST_EXTENSIONS)
    if outcome == "none":
        raise NoPass(sale=slug)
    if outcome == "most":
        raise PassExtensionLimit(f"A pass can be extended {MOST_EXTENSIONS} times.", sale=slug)
    return expires_at_ms


def spend(room: Stockroom, slug: str, shoppers: Sequence[str]) -> int:
    """End the passes of those who have bought; return how many there were."""
    return ask(room, scripts.finish, _of_admission(slug), "spent", *shoppers) if shoppers else 0


def end_overdue(room: Stockroom, slug: str) -> int:
    """End up to 100 admissions whose time is over: nobody showed up, or the pass has run out; return how many."""
    return ask(room, scripts.finish, _of_admission(slug), "")


def move(room: Stockroom, slug: str, giver: str, taker: str) -> None:
    """Hand a place to the same person on another device, once. Raises NothingToMove."""
    names = [name(slug) for name in (keys.head, keys.line, keys.admitted, keys.active, keys.news)]
    if not ask(room, scripts.move, names, giver, taker):
        raise NothingToMove(sale=slug)


def _of_admission(slug: str) -> list[str]:
    return [name(slug) for name in (keys.head, keys.admitted, keys.active, keys.news)]
