"""Products, by the SKUs of the shop: a SKU is the code of a product variant."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from storefront.erp.adapters.tryton.rpc import Visit
from storefront.erp.adapters.tryton.sales import chunks


@dataclass(frozen=True)
class Product:
    """A variant; sold in the unit that its stock is counted in, so that units here and there are the same."""

    id: int
    code: str
    unit: int
    salable: bool
    quantity: float  # on hand in the places that were asked about; 0 where none were


def find_products(visit: Visit, skus: Iterable[str], context: Mapping[str, Any] | None = None) -> dict[str, Product]:
    """The active products by SKU; Tryton keeps their codes unique."""
    found = {}
    fields = ["code", "default_uom", "salable", "quantity"]
    for some in chunks(sorted(set(skus))):
        for row in visit.search("product.product", [["code", "in", some]], fields, context):
            found[row["code"]] = Product(
                row["id"], row["code"], row["default_uom"], bool(row["salable"]), row["quantity"] or 0
            )
    return found
