"""What the shop asks of an ERP: one interface, and a folder for each ERP under `adapters/`.

An adapter keeps no state of its own between calls and decides nothing: when to send, when to try again
and what a figure means for what can be sold is said in `delivery.py` and `inbound.py`. It may be called
by a process that has never seen the batch before, after another one was killed in the middle of it.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, NamedTuple, Protocol

from storefront.erp.documents import Document

Outcome = Literal["applied", "accepted", "duplicate", "retry_later", "unknown", "rejected"]


@dataclass(frozen=True)
class Capabilities:
    """What an ERP can do.

    max_batch: documents in a batch, at most.
    can_look_up: it can be asked by key what has become of a document.
    stock: whether its figures are what it would still promise (on hand minus its open outgoing), or a
    purely physical count; None where it gives no figures.
    watermark: how a snapshot says which of our orders it has deducted.
    asynchronous_acks: `submit` answers "accepted", and `poll_acks` brings what became of it.
    in_order: it takes batches in their sequence only and works them off in it, so that a batch waits for the
    one before, and a cancellation may follow an order that is merely accepted.
    """

    max_batch: int
    can_look_up: bool
    stock: Literal["promisable", "physical"] | None
    watermark: Literal["applied_set", "batch_sequence", "timestamp"] | None
    asynchronous_acks: bool
    in_order: bool


class Result(NamedTuple):
    """What has become of one document, in the ERP's own words where it gave any.

    applied: the ERP has booked it. accepted: it has taken it and not booked it yet, ask again.
    duplicate: it had booked it before, a success. retry_later: not now, for this document alone.
    unknown: nothing can be said. rejected: it will never take it as it is.
    """

    key: str
    outcome: Outcome
    words: str = ""
    erp_id: str = ""  # how the ERP names it


@dataclass(frozen=True)
class BatchHead:
    """A batch without its documents: all are `placed`, or all are `cancelled`."""

    id: str
    sequence: int  # from 1, without a gap for each adapter
    kind: str
    content_hash: str  # SHA-256 of the content, hex


@dataclass(frozen=True)
class Batch(BatchHead):
    """What is sent at once; a retry sends the very same."""

    documents: tuple[Document, ...]


@dataclass(frozen=True)
class Ack:
    """What an ERP has said, later, of a batch; `refused` where it took none of it: its words."""

    sequence: int
    results: Sequence[Result] = ()
    refused: str | None = None
    problems: Sequence["Problem"] = ()  # lines of the acknowledgement that could not be read


@dataclass(frozen=True)
class Problem:
    """One thing in a file or reply that could not be taken; what is around it could."""

    source: str  # name of the file, or of the call
    line: int | None  # counted from 1, the header is line 1
    column: str  # its name; empty where it is about the whole line
    words: str
    raw: str = ""  # the line as it came


@dataclass(frozen=True)
class AppliedSet:
    """The documents that these figures have deducted; it was read *before* the figures."""

    keys: frozenset[str]


@dataclass(frozen=True)
class UpToBatch:
    """The figures have deducted what was booked of the batches up to this one."""

    sequence: int


@dataclass(frozen=True)
class UpToTime:
    """The figures are as of `as_of_ms`; what was acknowledged in the last `margin_ms` before may not be in them."""

    as_of_ms: int
    margin_ms: int = 60_000


@dataclass(frozen=True)
class Snapshot:
    """Stock figures of an ERP, absolute, as of one moment. A SKU that is not named is not 0: nothing is said of it."""

    source: str  # name of the file, or of the call
    sequence: int  # rises with each snapshot of an adapter
    content_hash: str
    as_of_ms: int
    stock: Literal["promisable", "physical"]
    watermark: AppliedSet | UpToBatch | UpToTime
    figures: Mapping[str, int]  # units by SKU; the ERP's may be below 0
    shipped: frozenset[str] = frozenset()  # keys of the orders that have left its house, where it tells
    problems: Sequence[Problem] = ()


@dataclass(frozen=True)
class Wanted:
    """What the shop would like to know with the next snapshot."""

    last_sequence: int  # of the last snapshot that was taken in; 0: none yet
    last_hash: str
    pending: Sequence[str]  # for an applied set: keys of the orders that were sent and no figure has deducted yet
    skus: Sequence[str]  # that the shop sells
    since_ms: int  # when the last snapshot was taken; 0: none yet
    now_ms: int
    accept_gap: bool = False  # an operator has said that a missing sequence may be passed over


@dataclass(frozen=True)
class BookedLine:
    """A line of one of our orders as the ERP has it on its books; a booked cancellation ends its order's lines."""

    order_id: int
    line: int
    sku: str
    quantity: int
    unit_price: Decimal
    currency: str


class ErpError(Exception):
    """Something went wrong between the shop and the ERP; the message is for people."""


class ErpUnavailable(ErpError):
    """It could not be reached, or said that it cannot work now. Nothing was taken."""


class ErpThrottled(ErpError):
    """It asks for a pause of `after_seconds`. Nothing was taken."""

    def __init__(self, words: str, after_seconds: float):
        super().__init__(words)
        self.after_seconds = after_seconds


class ErpAuthFailed(ErpError):
    """It does not let us in: a person has to look at the settings."""


class ErpAmbiguous(ErpError):
    """It may have taken what was sent, or not: time ran out, or the answer could not be read."""


class BatchRejected(ErpError):
    """It took none of the batch, for a reason that lies in the batch: one of its documents, perhaps."""


class ErpAlarm(ErpError):
    """What comes in cannot be right: nothing more is taken in until a person has looked. Names file, line, column."""


class Adapter(Protocol):
    """One ERP. Every call ends within `seconds` that stand in the adapter, and raises ErpError's children only."""

    @property
    def name(self) -> str: ...

    @property
    def capabilities(self) -> Capabilities: ...

    def health(self) -> str:
        """Whether it can be worked with: its own words, such as a version. Raises ErpError."""

    def submit(self, batch: Batch) -> Sequence[Result]:
        """Hand over orders; what was handed over before, by key, is not booked again.

        Documents without a result count as unknown. Raises ErpError; after ErpAmbiguous it is asked by `lookup`,
        where that can be, before the same batch is sent again.
        """

    def cancel(self, batch: Batch) -> Sequence[Result]:
        """Hand over cancellations, in the same way."""

    def lookup(self, keys: Sequence[str]) -> Mapping[str, Result]:
        """What has become of documents, by key; one that the ERP does not know is absent. Raises ErpError."""

    def poll_acks(self, waiting: Sequence[BatchHead]) -> Sequence[Ack]:
        """What the ERP has said by now of batches that wait for its word.

        What it says of others has been taken in before, and may be put away. Raises ErpError.
        """

    def snapshot(self, wanted: Wanted) -> Snapshot | None:
        """The next snapshot after `wanted.last_sequence`, None where there is none yet. Raises ErpError, ErpAlarm.

        Older ones have been taken in, and may be put away.
        """

    def changed_skus(self, since_ms: int) -> Collection[str] | None:
        """The SKUs whose figures may have changed since; None where the ERP cannot tell. Raises ErpError."""

    def booked(self) -> Iterator[BookedLine]:
        """Every line of our orders on the ERP's books, for the reconciliation. Raises ErpError."""


# An adapter that is `in_order` and cannot be asked may be quicker with several batches at once, and then has a method
# `submit_several`. It is handed batches of either kind that were not sent before, in their sequence, and returns the
# results of each. After any error the first of them may have been taken, and those that follow it, without a gap.
Several = Callable[[Sequence[Batch]], Sequence[Sequence[Result]]]
