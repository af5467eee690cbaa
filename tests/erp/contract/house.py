"""What the contract suite asks of an ERP that it is run on."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from storefront.erp.adapter import Adapter, BookedLine


class House(Protocol):
    """An ERP, its adapter, and a look into its books that does not go through the adapter."""

    @property
    def environ(self) -> Mapping[str, str]:
        """The settings with which any process opens the adapter."""

    @property
    def adapter(self) -> Adapter: ...

    def work(self) -> None:
        """Let the ERP do its part once."""

    def set_stock(self, units: Mapping[str, int]) -> None:
        """Units on hand, by SKU; one that it does not know is new to it."""

    def stock(self) -> Mapping[str, int]:
        """What its books say can be promised, by SKU."""

    def booked(self) -> Sequence[BookedLine]:
        """The lines of our orders on its books."""
