"""Joining: those who come within a few milliseconds are given their places by one script."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from storefront.core.deadline import seconds_left
from storefront.core.errors import Refusal, Unavailable
from storefront.core.gathering import Gathering
from storefront.stock.stockroom import Stockroom
from storefront.waiting_room import keys, sales, scripts
from storefront.waiting_room.outcomes import AddressTaken, Joined, NotOpenYet, SaleClosed, Ticket
from storefront.waiting_room.queue import ask

GATHER_SECONDS = 0.005
MOST_AT_ONCE = 100
PATIENCE_SECONDS = 3.0


@dataclass(frozen=True)
class Joiner:
    """Who wants to join: the shopper, his address where the sale asks for one, and the ticket he shows, if any."""

    slug: str
    shopper: str
    email: str = ""
    ticket: Ticket | None = None


class Entrance:
    """Where people join, for one process."""

    def __init__(self, room: Stockroom):
        self._room = room
        self._one_per_email: dict[str, bool] = {}
        self._joiners: Gathering[Joiner, Joined | Refusal] = Gathering(
            "waiting-room", self._take_in, GATHER_SECONDS, MOST_AT_ONCE
        )

    def require(self, slug: str) -> None:
        """Raise UnknownSale where there is no such sale; one once seen is remembered, for none is ever removed."""
        self.asks_for_email(slug)

    def asks_for_email(self, slug: str) -> bool:
        """Whether a sale takes one person per address. Raises UnknownSale."""
        if slug not in self._one_per_email:
            self._one_per_email[slug] = sales.find(self._room, slug).one_per_email
        return self._one_per_email[slug]

    def join(self, joiner: Joiner) -> Joined:
        """Give a shopper a place, or the one he has.

        Raises NotOpenYet, SaleClosed, AddressTaken, StockChecking (the queue cannot be trusted just now).
        """
        try:
            outcome = self._joiners.put(joiner).wait(seconds_left(PATIENCE_SECONDS))
        except TimeoutError as error:
            raise Unavailable("The waiting room is slow. Please try again.") from error
        if isinstance(outcome, Refusal):
            raise outcome
        return outcome

    def _take_in(self, joiners: Sequence[Joiner]) -> list[Joined | Refusal]:
        outcomes: dict[int, Joined | Refusal] = {}
        for slug in dict.fromkeys(joiner.slug for joiner in joiners):
            some = [index for index, joiner in enumerate(joiners) if joiner.slug == slug]
            try:
                found = join(self._room, slug, [joiners[index] for index in some])
            except Refusal as refusal:
                found = [refusal] * len(some)
            outcomes.update(zip(some, found, strict=True))
        return [outcomes[index] for index in range(len(joiners))]


def join(room: Stockroom, slug: str, joiners: Sequence[Joiner]) -> list[Joined | Refusal]:
    """Give each of `joiners` of one sale a place in their order, or say why not."""
    names = [name(slug) for name in (keys.head, keys.line, keys.admitted, keys.emails)]
    state, answers = ask(room, scripts.join, names, *map(_words, joiners))
    return [_outcome(joiner, state, *answer.split("|")) for joiner, answer in zip(joiners, answers, strict=True)]


def _words(joiner: Joiner) -> str:
    address = sha256(joiner.email.casefold().encode()).hexdigest()[:32] if joiner.email else ""
    ticket = joiner.ticket
    shown = f"{ticket.epoch}|{ticket.ordinal}|{ticket.drawn:d}" if ticket else "0|0|0"
    return f"{joiner.shopper}|{address}|{shown}"


def _outcome(
    joiner: Joiner, state: str, outcome: str, epoch: str, ordinal: str, drawn: str, position: str
) -> Joined | Refusal:
    if outcome == "address_taken":
        return AddressTaken("Wait where you joined with it, or leave there first.", sale=joiner.slug)
    if outcome == "refused":
        refusal = NotOpenYet if state == "announced" else SaleClosed
        return refusal(sale=joiner.slug)
    return Joined(outcome, Ticket(joiner.shopper, int(epoch), int(ordinal), drawn == "1"), int(position) or None)
