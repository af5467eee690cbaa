"""Snapshots: what is so now, where every rung of the transport ladder starts."""

from collections.abc import Sequence
from typing import Any

from storefront.core.errors import InvalidInput
from storefront.stock import levels
from storefront.stock.outcomes import UnknownSku
from storefront.stock.stockroom import Stockroom

MOST_SKUS = 200


def check_skus(skus: object) -> list[str]:
    """SKUs from outside, each once. Raises InvalidInput unless they are 1 to 200 texts."""
    if not isinstance(skus, list) or not all(isinstance(sku, str) and sku and "\x00" not in sku for sku in skus):
        raise InvalidInput("Give SKUs as texts.")
    unique = list(dict.fromkeys(skus))
    if not 1 <= len(unique) <= MOST_SKUS:
        raise InvalidInput(f"Give 1 to {MOST_SKUS} SKUs.")
    return unique


def snapshot(room: Stockroom, skus: Sequence[str]) -> dict[str, Any]:
    """{"epoch", "stock": [state, …]} in the order of `skus`. Raises UnknownSku where one does not exist."""
    found = levels.read(room, skus)
    for sku in skus:
        if sku not in found:
            raise UnknownSku(f"There is no SKU {sku!r}.", sku=sku)
    return {"epoch": room.fence.epoch, "stock": [found[sku].as_json() for sku in skus]}
