"""What an order must be like before it is created: Tryton does not refuse all that it cannot book rightly."""

from collections.abc import Collection, Iterator, Mapping
from decimal import Decimal

from storefront.erp.adapters.tryton.goods import Product
from storefront.erp.adapters.tryton.shop import WebShop
from storefront.erp.documents import Document, Line

PRICE_DIGITS = 4  # Tryton's own default, `[product] price_decimal`
CENT = Decimal("0.01")


def objections(
    order: Document, shop: WebShop, products: Mapping[str, Product], countries: Collection[str]
) -> Iterator[str]:
    """Why an order cannot be booked, each with the line and SKU it is about."""
    if order.currency != shop.currency:
        yield f"it is in {order.currency}, and the company keeps its books in {shop.currency}"
    if order.country not in countries:
        yield f"Tryton has no country {order.country!r}: run trytond_import_countries"
    if not order.lines:
        yield "it has no lines"
    if len({line.line for line in order.lines}) < len(order.lines):
        yield "two of its lines have the same number"
    for line in order.lines:
        for words in _about(line, products.get(line.sku)):
            yield f"line {line.line}, SKU {line.sku!r}: {words}"
    if order.total != sum((line.unit_price * line.quantity for line in order.lines), Decimal(0)):
        yield f"its lines do not add up to {order.total}"


def _about(line: Line, product: Product | None) -> Iterator[str]:
    if product is None:
        yield "no product in Tryton has this code"
    elif not product.salable:
        yield "the product is not salable in Tryton"
    if line.quantity <= 0:
        yield f"{line.quantity} units cannot be sold"
    if not line.unit_price.is_finite() or line.unit_price < 0:
        yield f"{line.unit_price} is no price"
    elif line.unit_price != round(line.unit_price, PRICE_DIGITS):
        yield f"the price {line.unit_price} has more than {PRICE_DIGITS} decimals"
    elif line.unit_price * line.quantity % CENT:
        yield f"{line.quantity} x {line.unit_price} is not a sum in whole cents"
