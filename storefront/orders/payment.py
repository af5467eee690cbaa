"""Payment: the one place where a provider can be added."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol


@dataclass(frozen=True)
class Payment:
    """How an order is paid, in words for the shopper, and the provider's own reference."""

    words: str
    reference: str = ""


class PaymentProvider(Protocol):
    """Called inside the order transaction, before its commit: it must answer fast or refuse by raising a Refusal."""

    def pay(self, amount: Decimal, currency: str, order_token: str) -> Payment: ...


class OnInvoice:
    """The shopper pays after delivery; nothing to ask anybody."""

    def pay(self, amount: Decimal, currency: str, order_token: str) -> Payment:
        return Payment("On invoice")
