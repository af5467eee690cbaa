"""Events go through the same delivery as orders do: this is their adapter."""

from collections.abc import Collection, Iterator, Mapping, Sequence

from storefront.core.times import iso
from storefront.erp.adapter import Ack, Batch, BatchHead, BookedLine, Capabilities, Result, Snapshot, Wanted
from storefront.erp.documents import Event
from storefront.erp.signed_calls import SignedCalls


class EventsAdapter:
    """Who listens to events; a batch is one of them, and whatever answer of 2xx there is, it was taken."""

    name = "events"
    capabilities = Capabilities(
        max_batch=1, can_look_up=False, stock=None, watermark=None, asynchronous_acks=False, in_order=False
    )

    def __init__(self, calls: SignedCalls):
        self._calls = calls
        self.seconds = calls.seconds

    def health(self) -> str:
        return ""  # the next event will show

    def submit(self, batch: Batch) -> Sequence[Result]:
        (event,) = batch.documents
        assert isinstance(event, Event)
        body = {"id": event.key, "type": event.topic, "at": iso(event.at_ms), "data": event.data}
        self._calls.tell("", body, event.key)
        return [Result(event.key, "applied")]

    cancel = submit

    def lookup(self, keys: Sequence[str]) -> Mapping[str, Result]:
        return {}

    def poll_acks(self, waiting: Sequence[BatchHead]) -> Sequence[Ack]:
        return ()

    def snapshot(self, wanted: Wanted) -> Snapshot | None:
        return None

    def changed_skus(self, since_ms: int) -> Collection[str] | None:
        return None

    def booked(self) -> Iterator[BookedLine]:
        return iter(())
