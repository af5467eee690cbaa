"""What comes of asking the stock for something: plain facts, or a refusal named for its reason."""

from dataclasses import asdict, dataclass
from typing import Any

from storefront.core.errors import Refusal, Unavailable


@dataclass(frozen=True)
class Level:
    """The sellable stock of a SKU at one version; `available` is None while it is being checked."""

    sku: str
    available: int | None
    version: int
    epoch: int
    state: str  # in_stock, low, sold_out or checking
    at_ms: int  # Redis time of the change that made it so

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Held:
    """Units are held for a shopper until `expires_at_ms` (Redis time)."""

    reservation_id: str
    sku: str
    units: int
    expires_at_ms: int
    units_of_shopper: int  # all he holds of the SKU now
    level: Level


@dataclass(frozen=True)
class AlreadyHeld:
    """The shopper holds more than the page knew of; nothing was taken."""

    sku: str
    units_of_shopper: int
    level: Level


class SoldOut(Refusal):
    code, title = "sold_out", "Sold out"


class InsufficientStock(Refusal):
    code, title = "insufficient_stock", "Not enough units left"


class LimitReached(Refusal):
    code, title = "limit_reached", "The limit per shopper is reached"


class PassRequired(Refusal):
    """The SKU belongs to a sale, and the shopper was not admitted to it; `sale` is its slug."""

    code, status, title = "pass_required", 403, "This is sold through a waiting room"


class HoldExpired(Refusal):
    code, title = "hold_expired", "The hold has expired"


class HoldEnded(Refusal):
    """The reservation with this id has been released, sold or expired before."""

    code, title = "hold_ended", "This hold has ended"


class HoldWithdrawn(HoldEnded):
    """It was undone before anybody heard of it; the same click may take the units anew, under another id."""


class ExtensionLimit(Refusal):
    code, title = "extension_limit", "This hold cannot be extended any further"


class UnknownSku(Refusal):
    code, status, title = "unknown_sku", 404, "There is no such SKU"


class BelowPromised(Refusal):
    code, title = "below_promised", "More units are promised than would be left"


class StockChecking(Unavailable):
    """The numbers in Redis cannot be trusted just now; they are being rebuilt from SQL."""

    code, title = "stock_checking", "Checking stock"

    def __init__(self, detail: str = ""):
        super().__init__(detail or "We are checking our stock. Nothing was changed; please try again in a moment.")
