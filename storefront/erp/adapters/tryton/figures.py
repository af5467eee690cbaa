"""Stock figures: what the warehouse of the web shop would still promise.

On hand in its storage and output zones, minus what is on its way out to customers and not done. Tryton's own
`forecast_quantity` is of no use for that: it counts planned receipts, which are no stock.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from storefront.erp.adapters.tryton.goods import Product, find_products
from storefront.erp.adapters.tryton.rpc import Visit
from storefront.erp.adapters.tryton.shop import WebShop

# Tryton stamps a record when its transaction writes it, and shows it once that is committed; clocks differ, too.
MARGIN = timedelta(seconds=120)


def promisable(visit: Visit, shop: WebShop, skus: Sequence[str]) -> dict[str, int]:
    """Units by SKU; one that Tryton does not have is absent.

    The open moves are read before the quantities: what leaves in between is deducted twice for once, not never.
    """
    leaving = _leaving(visit, shop)
    there = {"locations": list(shop.places), "with_childs": True, "company": shop.company}
    return {sku: _units(product, leaving) for sku, product in find_products(visit, skus, there).items()}


def _leaving(visit: Visit, shop: WebShop) -> Mapping[int, float]:
    """Units on their way out to customers, by product."""
    units: Counter[int] = Counter()
    domain = [
        ["company", "=", shop.company],
        ["state", "in", ["staging", "draft", "assigned"]],
        ["to_location.type", "=", "customer"],
        ["from_location", "child_of", [shop.warehouse], "parent"],
    ]
    for move in visit.search("stock.move", domain, ["product", "internal_quantity"]):
        units[move["product"]] += move["internal_quantity"]
    return units


def _units(product: Product, leaving: Mapping[int, float]) -> int:
    return math.floor(round(product.quantity - leaving.get(product.id, 0), 6))


def moved_since(visit: Visit, since_ms: int) -> set[str]:
    """The SKUs that a move was made or changed of; a product's own date does not follow its stock."""
    rows = visit.search("stock.move", changed_since(since_ms), ["product.code"])
    return {row["product."]["code"] for row in rows if row["product."]["code"]}


def changed_since(since_ms: int) -> Sequence[Any]:
    """The clause for records written since; all of them for 0."""
    if not since_ms:
        return []
    since = datetime.fromtimestamp(since_ms / 1000, UTC).replace(tzinfo=None) - MARGIN
    return [["last_modified_at", ">=", since]]
