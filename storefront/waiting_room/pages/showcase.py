"""The showcase: what the pages of a sale show that hardly ever changes, read from SQL now and then only."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from storefront.catalog.lookup import variants_by_sku
from storefront.catalog.models import Variant
from storefront.stock.stockroom import Stockroom
from storefront.waiting_room import sales
from storefront.waiting_room.models import Sale

KEPT_SECONDS = 10.0


@dataclass(frozen=True)
class Good:
    """A SKU of a sale as it is shown."""

    sku: str
    title: str
    slug: str
    price: Decimal
    image_url: str | None


@dataclass(frozen=True)
class Shown:
    """A sale as SQL knew it a few seconds ago; its state and message are not to be taken from here."""

    sale: Sale
    goods: Sequence[Good]

    @property
    def lobby_opens_at_ms(self) -> int | None:
        return self.sale.opens_at_ms - self.sale.lobby_seconds * 1000 if self.sale.lobby_seconds else None

    @property
    def seed_hash(self) -> str:
        return sales.seed_hash(self.sale.seed)


class Showcase:
    """What this process shows of sales."""

    def __init__(self, room: Stockroom):
        self._room = room
        self._shown: dict[str, tuple[float, Shown]] = {}

    def of(self, slug: str) -> Shown:
        """Raises UnknownSale."""
        read_at, shown = self._shown.get(slug, (0.0, None))
        if shown is None or time.monotonic() - read_at > KEPT_SECONDS:
            sale = sales.find(self._room, slug)
            found = variants_by_sku(self._room.engine, sale.skus)
            shown = Shown(sale, [_good(found[sku]) for sku in sale.skus if sku in found])
            self._shown[slug] = time.monotonic(), shown
        return shown


def _good(variant: Variant) -> Good:
    product = variant.product
    title = f"{product.title} ({variant.title})" if variant.title else product.title
    image_url = variant.image_url or (product.image.url if product.image else None)
    return Good(variant.sku, title, product.slug, variant.price, image_url)
