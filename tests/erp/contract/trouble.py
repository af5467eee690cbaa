"""An adapter whose calls go wrong, three in ten, in every way that an ERP behind a network has."""

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from storefront.erp.adapter import Ack, Adapter, Batch, BatchHead, ErpAmbiguous, ErpUnavailable, Result

# What becomes of twenty batches that are handed over, in an order that the dice decide.
DECK = ["none"] * 14 + ["away", "timed out", "lost", "lost", "twice", "cut"]


class Troubled:
    """Passes on to `adapter`, or does not, or twice, or loses or mixes up the answer. The dice decide."""

    def __init__(self, adapter: Adapter, dice: random.Random):
        self._adapter, self._dice = adapter, dice
        self._deck: list[str] = []
        self.met: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._adapter, name)
        return self._send_several if name == "submit_several" else found

    def health(self) -> str:
        return self._perhaps(self._adapter.health)

    def submit(self, batch: Batch) -> Sequence[Result]:
        return self._send(self._adapter.submit, batch)

    def cancel(self, batch: Batch) -> Sequence[Result]:
        return self._send(self._adapter.cancel, batch)

    def lookup(self, keys: Sequence[str]) -> Mapping[str, Result]:
        return self._perhaps(lambda: self._adapter.lookup(keys))

    def poll_acks(self, waiting: Sequence[BatchHead]) -> Sequence[Ack]:
        acks = list(self._perhaps(lambda: self._adapter.poll_acks(waiting)))
        self._dice.shuffle(acks)
        return acks

    def _perhaps(self, call: Callable[[], Any]) -> Any:
        if self._dice.random() < 0.3:
            self.met.add("away")
            raise ErpUnavailable("nobody answers")
        return call()

    def _send_several(self, batches: Sequence[Batch]) -> Sequence[Sequence[Result]]:
        return [self._send(self._adapter.submit, batch) for batch in batches]  # some, before something goes wrong

    def _send(self, call: Callable[[Batch], Sequence[Result]], batch: Batch) -> Sequence[Result]:
        self._deck = self._deck or self._dice.sample(DECK, len(DECK))
        trouble = self._deck.pop()
        self.met.add(trouble)
        if trouble == "away":
            raise ErpUnavailable("nobody answers")
        if trouble == "timed out":
            raise ErpAmbiguous("time ran out before it had arrived")
        results = list(call(batch))
        if trouble == "lost":
            raise ErpAmbiguous("time ran out after it had arrived")
        if trouble == "twice":
            results = list(call(batch))
        self._dice.shuffle(results)
        return results[: len(results) // 2] if trouble == "cut" else results
