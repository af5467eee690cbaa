"""The exchange: what the sync works with, and its two directions as the jobs and commands call them."""

from dataclasses import dataclass

from storefront.erp.adapter import Adapter
from storefront.erp.batches import Cut
from storefront.stock.stockroom import Stockroom


@dataclass(frozen=True)
class Exchange:
    """One channel of the buffer and the adapter it goes through.

    batch_size: rows of a batch, at most. batch_seconds: a batch does not wait longer for more of them.
    stock_seconds: how often the ERP is asked for its stock.
    lease_ms: how long a holder of the link may be silent before somebody else takes over; longer than any call.
    """

    room: Stockroom
    adapter: Adapter
    channel: str = "erp"
    batch_size: int = 50
    batch_seconds: float = 5
    stock_seconds: float = 15
    lease_ms: int = 60_000

    @property
    def name(self) -> str:
        return self.adapter.name

    def cut(self, now: bool) -> Cut:
        """When rows become a batch; `now`: at once, however few."""
        can = self.adapter.capabilities
        age_ms = 0 if now else int(self.batch_seconds * 1000)
        return Cut(self.channel, min(self.batch_size, can.max_batch), age_ms, can.in_order, in_haste=now)
