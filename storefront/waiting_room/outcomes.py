"""What comes of asking the waiting room: plain facts, or a refusal named for its reason."""

from dataclasses import dataclass

from storefront.core.errors import Refusal

ADMITTED = ("granted", "arrived")  # states of an admission that gives a pass


@dataclass(frozen=True)
class Ticket:
    """A place as its holder can prove it, also to a queue that has lost it."""

    shopper: str
    epoch: int
    ordinal: int  # of arrival in this epoch; 0 where the place was drawn by lot
    drawn: bool


@dataclass(frozen=True)
class Joined:
    """What came of joining: `state` is joined, kept (had a place already) or admitted."""

    state: str
    ticket: Ticket
    position: int | None  # 1 is next; None: not drawn yet, or already in


@dataclass(frozen=True)
class Place:
    """Where a shopper stands: waiting, granted, arrived, spent, no_show, expired, left or none."""

    state: str
    position: int | None = None  # 1 is next; None: not drawn yet, or not waiting
    ticket: Ticket | None = None
    expires_at_ms: int | None = None  # of the pass
    extensions: int = 0


@dataclass(frozen=True)
class Queue:
    """A sale as its queue in Redis shows it at one moment."""

    slug: str
    title: str
    state: str
    message: str
    skus: tuple[str, ...]
    epoch: int
    opens_at_ms: int
    limit_units: int
    rate: float
    waiting: int
    active: int
    joined: int
    admitted: int
    available: int | None  # units that can be had now; None while the stock is being checked
    held: int  # units in carts
    owed: int  # units that those who are in may still take
    came: int  # how many were admitted within the last `span_ms`
    left: int  # how many gave up then
    span_ms: int
    hold_until_ms: int  # nobody is admitted before: those who were in the line before it was lost may come back
    now_ms: int

    @property
    def is_held(self) -> bool:
        """Whether admission waits until people have come back after an interruption."""
        return self.now_ms < self.hold_until_ms


class UnknownSale(Refusal):
    code, status, title = "unknown_sale", 404, "There is no such sale"


class NoTicket(Refusal):
    code, status, title = "no_ticket", 404, "You have no ticket for this sale"


class NotOpenYet(Refusal):
    code, title = "not_open_yet", "This sale cannot be joined yet"


class SaleClosed(Refusal):
    code, title = "sale_closed", "This sale takes nobody in any more"


class AddressTaken(Refusal):
    code, title = "address_taken", "Somebody waits with this e-mail address already"


class NoPass(Refusal):
    code, status, title = "no_pass", 404, "You have no pass that could be extended"


class PassExtensionLimit(Refusal):
    code, title = "extension_limit", "This pass cannot be extended any further"


class NotAllowedNow(Refusal):
    code, title = "not_allowed_now", "The sale is not in a state in which this can be done"


class NothingToMove(Refusal):
    code, title = "nothing_to_move", "This link has been used, or its place is gone"
