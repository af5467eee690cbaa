"""The adapter: each question of the shop's is a call, and what comes back is read by `answers.py`."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from storefront.core.times import iso
from storefront.erp import adapter as erp
from storefront.erp.adapters.webhook import answers
from storefront.erp.adapters.webhook.fields import NotAgreed
from storefront.erp.documents import Document, plain
from storefront.erp.signed_calls import NotThere, SignedCalls

Answer = TypeVar("Answer")


class WebhookAdapter:
    """An ERP that takes signed JSON; see `storefront.erp.adapter.Adapter`."""

    name = "webhook"
    capabilities = erp.Capabilities(
        max_batch=100, can_look_up=True, stock="promisable", watermark="applied_set", asynchronous_acks=False,
        in_order=False,
    )  # fmt: skip

    def __init__(self, calls: SignedCalls):
        self._calls = calls
        self.seconds = calls.seconds

    def health(self) -> str:
        return self._ask("/health", {}, answers.read_health)

    def submit(self, batch: erp.Batch) -> Sequence[erp.Result]:
        return self._hand_over(batch)

    def cancel(self, batch: erp.Batch) -> Sequence[erp.Result]:
        return self._hand_over(batch)

    def _hand_over(self, batch: erp.Batch) -> Sequence[erp.Result]:
        body = {
            "batch": batch.id,
            "sequence": batch.sequence,
            "kind": batch.kind,
            "sha256": batch.content_hash,
            "lines": [_line(document) for document in batch.documents],
        }
        reply = self._calls.tell("/batches", body, batch.id)
        try:
            return answers.read_results(reply, [document.key for document in batch.documents])
        except NotAgreed as error:
            raise erp.ErpAmbiguous(f"/batches: {error}") from error

    def lookup(self, keys: Sequence[str]) -> Mapping[str, erp.Result]:
        found = self._ask("/lookup", {"keys": [*keys]}, partial(answers.read_results, asked=keys))
        return {result.key: result for result in found}

    def poll_acks(self, waiting: Sequence[erp.BatchHead]) -> Sequence[erp.Ack]:
        return ()  # what was accepted is asked for by `lookup`

    def snapshot(self, wanted: erp.Wanted) -> erp.Snapshot | None:
        """The figures as they are now; None where the ERP says of the same SKUs what it said last."""
        body = {"skus": [*wanted.skus] or None, "pending": [*wanted.pending]}
        found = self._ask("/stock", body, partial(answers.read_snapshot, wanted=wanted))
        if found.content_hash == wanted.last_hash:
            return None
        if found.sequence <= wanted.last_sequence:
            raise erp.ErpAlarm(
                f"/stock: /sequence is {found.sequence}, and {wanted.last_sequence} was taken in before, with other"
                " figures. Has the ERP gone back to an older state?"
            )
        return found

    def changed_skus(self, since_ms: int) -> Collection[str] | None:
        try:
            return self._ask("/changed", {"since": iso(since_ms)}, answers.read_skus)
        except NotThere:
            return None

    def booked(self) -> Iterator[erp.BookedLine]:
        after = 0
        while lines := self._ask("/booked", {"after": after}, answers.read_lines):
            if min(line.order_id for line in lines) <= after:
                raise erp.ErpUnavailable(f"/booked: asked for what comes after order {after}, it tells of one before")
            yield from lines
            after = max(line.order_id for line in lines)

    def _ask(self, path: str, body: dict[str, Any], read: Callable[[bytes], Answer]) -> Answer:
        reply = self._calls.ask(path, body)
        try:
            return read(reply)
        except NotAgreed as error:
            raise erp.ErpUnavailable(f"{path}: {error}") from error


def _line(document: Document) -> dict[str, Any]:
    told = plain(document)
    return {"idempotency_key": told.pop("key"), **told}
