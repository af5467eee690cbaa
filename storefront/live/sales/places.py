"""Places: tells those who watch a sale in this process how it stands, and each of them where he stands.

About once a second it looks at the places of those for whom it is time: somebody far back every half
minute, somebody near the front every second (estimates.telling_seconds). What has changed is told on
every line that the shopper has open here. What cannot wait comes over the waiting room's channel: who
was let in, and that the state or the message of a sale has changed; that goes out at once.

While nobody watches nothing happens, and Redis is only ever read.
"""

import logging
import math
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from redis.exceptions import RedisError

from storefront.core.errors import Refusal
from storefront.core.times import iso
from storefront.live.sales.letters import Letter, Reader
from storefront.stock.stockroom import Stockroom
from storefront.waiting_room import sales
from storefront.waiting_room.answers import place_json, sale_json
from storefront.waiting_room.estimates import telling_seconds
from storefront.waiting_room.outcomes import Place, Queue, Ticket
from storefront.waiting_room.queue import MOST_LOOKED_AT

TICK_SECONDS = 1.0
FIGURES_SECONDS = 5.0  # between two letters to all in which only figures have changed
SETTLED_SECONDS = 5.0  # between two looks at somebody who does not wait: he may join again
FRONT = 100  # so many at the head hear of each change with the next tick, however slowly it moves
BREATH = 100  # people written to in a row: some 4 ms
CLOCKS = ("opens_in_ms", "pass_expires_in_ms")  # they run by themselves
FIGURES = ("waiting", "available", "held", *CLOCKS)

log = logging.getLogger(__name__)

Told = dict[str, Any]


@dataclass(eq=False)
class Person:
    """A shopper with at least one line here that watches a sale."""

    ticket: Ticket
    readers: set[Reader] = field(default_factory=set)
    told: Told | None = None
    due_at: float = math.inf  # not before he was told where he stands when he came


@dataclass(eq=False)
class Watched:
    """A sale that somebody watches here."""

    slug: str
    readers: set[Reader] = field(default_factory=set)  # also of those who have no place
    people: dict[str, Person] = field(default_factory=dict)  # by shopper
    told: Told | None = None
    due_at: float = math.inf
    epoch: int = 0  # of the queue, as it was seen last


@dataclass(frozen=True)
class Watch:
    """What somebody who begins to watch is told, and how he ends it."""

    sale: Told
    place: Told | None
    quiet_seconds: float  # so long the place need not be told again
    end: Callable[[], None]


class Places:
    """The watchers of one process."""

    def __init__(self, room: Stockroom):
        self._room = room
        self._sales: dict[str, Watched] = {}
        self._news: list[dict[str, Any]] = []
        self._lock = threading.Lock()
        self._wake = threading.Event()

    # --- watching

    def watch(self, slug: str, ticket: Ticket | None, reader: Reader) -> Watch:
        """Let `reader` hear of a sale, and of the place of the shopper with `ticket`; return how both stand now.

        While the queue cannot be trusted, that is what is told, and the rest follows as soon as it is known.
        """
        with self._lock:
            first = not self._sales
            sale = self._sales.setdefault(slug, Watched(slug))
            person = sale.people.setdefault(ticket.shopper, Person(ticket)) if ticket else None
            for readers in (sale.readers, person.readers) if person else (sale.readers,):
                readers.add(reader)
        if first:
            self._wake.set()

        def end() -> None:
            self._end(sale, person, reader)

        try:
            return self._begin(sale, person, ticket, end)
        except BaseException:
            end()
            raise

    def _begin(self, sale: Watched, person: Person | None, ticket: Ticket | None, end: Callable[[], None]) -> Watch:
        if person and ticket:
            person.ticket = _newer(person.ticket, ticket)
        try:
            seen, places = sales.look(self._room, sale.slug, [person.ticket] if person else [])
        except (Refusal, RedisError):
            _hurry(sale)
            return Watch(checking(sale.slug), None, 0.0, end)
        if sale.told is None:
            self._remember(sale, sale_json(seen))
            sale.epoch = seen.epoch
        if not (person and ticket):
            return Watch(sale_json(seen), None, 0.0, end)
        never_here = _never_here(ticket, places[0])
        place = self._note(person, seen, places[0])
        if person.told is None:
            person.told = place
        elif differs(person.told, place):
            person.due_at = 0.0  # for his other lines
        return Watch(sale_json(seen), None if never_here else place, _pause(seen, places[0]), end)

    def _end(self, sale: Watched, person: Person | None, reader: Reader) -> None:
        with self._lock:
            sale.readers.discard(reader)
            if person:
                person.readers.discard(reader)
                if not person.readers and sale.people.get(person.ticket.shopper) is person:
                    del sale.people[person.ticket.shopper]
            if not sale.readers and self._sales.get(sale.slug) is sale:
                del self._sales[sale.slug]

    # --- telling

    def run(self) -> None:
        """Tell what there is to tell, for ever."""
        while True:
            self._wake.wait(TICK_SECONDS if self._sales else None)
            self._wake.clear()
            try:
                self.turn()
            except Exception:
                log.exception("the places could not be told, trying again")
                time.sleep(TICK_SECONDS)

    def hear(self, news: dict[str, Any]) -> None:
        """Take in what came over the channel of the waiting room; returns at once."""
        if news.get("sale") in self._sales:
            self._news.append(news)
            self._wake.set()

    def look_again(self) -> None:
        """News may have been missed: look at everything anew."""
        for sale in list(self._sales.values()):
            _hurry(sale)
        self._wake.set()

    def turn(self) -> None:
        """Tell what has come over the channel, then what has changed for those for whom it is time."""
        news, self._news = self._news, []
        for one in news:
            if one["sale"] in self._sales:
                _take(self._sales[one["sale"]], one)
        for sale in list(self._sales.values()):
            self._tell(sale)

    def _tell(self, sale: Watched) -> None:
        now = time.monotonic()
        due = [person for person in list(sale.people.values()) if person.due_at <= now]
        if not due and sale.due_at > now:
            return
        try:
            for some in _slices(due):
                seen, places = sales.look(self._room, sale.slug, [person.ticket for person in some])
                self._notice_loss(sale, seen)
                self._tell_all(sale, seen)
                self._tell_each(some, seen, places)
        except (Refusal, RedisError):
            sale.due_at = 0.0
            if sale.told != checking(sale.slug):
                self._broadcast(sale, checking(sale.slug))

    def _notice_loss(self, sale: Watched, seen: Queue) -> None:
        """Look at everybody where the queue was built anew: it puts back those whose tickets it is shown."""
        if sale.epoch not in (0, seen.epoch):
            _hurry(sale)
            self._wake.set()
        sale.epoch = seen.epoch

    def _tell_all(self, sale: Watched, seen: Queue) -> None:
        """How the sale stands: what matters at once, mere figures now and then."""
        told = sale_json(seen)
        if sale.told is None or _without(FIGURES, sale.told) != _without(FIGURES, told):
            self._broadcast(sale, told)
        elif sale.due_at <= time.monotonic():
            if _without(CLOCKS, sale.told) != _without(CLOCKS, told):
                self._broadcast(sale, told)
            self._remember(sale, told)

    def _broadcast(self, sale: Watched, told: Told) -> None:
        self._remember(sale, told)
        _send(sale.readers, Letter("sale", told))

    def _remember(self, sale: Watched, told: Told) -> None:
        sale.told = told
        sale.due_at = time.monotonic() + FIGURES_SECONDS

    def _tell_each(self, people: Sequence[Person], seen: Queue, places: Sequence[Place]) -> None:
        for index, (person, place) in enumerate(zip(people, places, strict=True), 1):
            is_silent = person.told is None and _never_here(person.ticket, place)
            told = self._note(person, seen, place)
            if person.told is None or differs(person.told, told):
                person.told = told
                if not is_silent:
                    _send(person.readers, Letter("place", told))
            if index % BREATH == 0:
                time.sleep(0)  # others want to run, too

    def _note(self, person: Person, seen: Queue, place: Place) -> Told:
        """Take note of a place: the ticket that proves it, and when it has to be looked at again."""
        person.ticket = _newer(person.ticket, place.ticket) if place.ticket else _blank(person.ticket)
        person.due_at = time.monotonic() + _pause(seen, place)
        return place_json(seen, place)


def checking(slug: str) -> Told:
    """The event `sale` while the queue cannot be asked: all that is known is that it comes back."""
    unknown = dict.fromkeys(("state", "message", "waiting", "available", "held", "opens_at", "opens_in_ms"))
    return {"sale": slug, **unknown, "reason": "checking_queue"}


def differs(told: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether a place has changed so that its holder has to hear of it; small moves of the estimate are no news."""
    names = ("state", "detail", "position", "chance", "reason", "pass_expires_at", "extensions_left")
    return any(told[name] != now[name] for name in names) or _moved(told["eta_seconds"], now["eta_seconds"])


def _moved(told: Sequence[int] | None, now: Sequence[int] | None) -> bool:
    if told is None or now is None:
        return told is not now
    return any(abs(new - old) > max(5, old / 10) for old, new in zip(told, now, strict=True))


def _without(names: Iterable[str], told: Told) -> Told:
    return {name: value for name, value in told.items() if name not in names}


def _pause(seen: Queue, place: Place) -> float:
    if not place.position:
        return SETTLED_SECONDS
    return TICK_SECONDS if place.position <= FRONT else telling_seconds(seen, place.position)


def _take(sale: Watched, news: Mapping[str, Any]) -> None:
    """Tell who was let in; have those looked at whose place is another now."""
    if "state" in news:
        sale.due_at = 0.0
        if sale.told is None or news["state"] != sale.told["state"]:
            _hurry(sale)
    admitted = news.get("admitted") or {}
    for shopper in admitted.keys() & sale.people.keys():
        letter = Letter("admitted", {"sale": sale.slug, "pass_expires_at": iso(admitted[shopper])})
        _send(sale.people[shopper].readers, letter)
    for shopper in [*admitted, *(news.get("ended") or ())]:
        if shopper in sale.people:
            sale.people[shopper].due_at = 0.0


def _hurry(sale: Watched) -> None:
    sale.due_at = 0.0
    for person in list(sale.people.values()):
        person.due_at = 0.0


def _send(readers: Iterable[Reader], letter: Letter) -> None:
    for index, reader in enumerate(list(readers), 1):
        reader.read(letter)
        if index % BREATH == 0:
            time.sleep(0)


def _never_here(ticket: Ticket, place: Place) -> bool:
    return place.state == "none" and not ticket.epoch


def _newer(known: Ticket, shown: Ticket) -> Ticket:
    return shown if shown.epoch >= known.epoch else known


def _blank(ticket: Ticket) -> Ticket:
    """What is left of a ticket whose place is no more: whose it was."""
    return Ticket(ticket.shopper, 0, 0, False)


def _slices(people: Sequence[Person]) -> Iterator[Sequence[Person]]:
    """At least one, if an empty one, for the sale is looked at, too."""
    size = MOST_LOOKED_AT
    return (people[start : start + size] for start in range(0, len(people) or 1, size))
