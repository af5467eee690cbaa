"""What the shop shows: pages of products, one product, a search. Unpublished products do not exist here."""

import base64
import binascii
from dataclasses import dataclass

from sqlalchemy import Select, select
from sqlalchemy.orm import Session, selectinload

from storefront.catalog.models import Product, Variant
from storefront.catalog.wording import LONGEST_SEARCH, fold
from storefront.core.errors import InvalidInput, Refusal

MOST_PER_PAGE = 100
MOST_DIGITS = 18  # of an id; more would not fit the database's integers


class UnknownProduct(Refusal):
    code, status, title = "unknown_product", 404, "There is no such product"


@dataclass(frozen=True)
class Page:
    """Some products in the order of the catalogue, and the cursor of what follows, if anything does."""

    products: list[Product]
    next_cursor: str | None

    @property
    def skus(self) -> list[str]:
        return [variant.sku for product in self.products for variant in product.variants]


def list_products(session: Session, *, q: str = "", cursor: str = "", limit: int = MOST_PER_PAGE) -> Page:
    """A page of products with their variants and images, in a number of queries that does not depend on its length.

    q: words that all have to be in title, vendor, type or tags; cursor: `next_cursor` of the page before,
    "" for the first; limit: products, 1 to 100.
    Raises InvalidInput.
    """
    if not 1 <= limit <= MOST_PER_PAGE:
        raise InvalidInput(f"limit has to be from 1 to {MOST_PER_PAGE}.", field="limit")
    query = _search(_published(), q).order_by(Product.id).limit(limit + 1)
    if cursor:
        query = query.where(Product.id > _decode(cursor))
    products = list(session.scalars(query))
    more = len(products) > limit
    return Page(products[:limit], _encode(products[limit - 1].id) if more else None)


def find_product(session: Session, slug: str) -> Product:
    """The product with its variants and images. Raises UnknownProduct."""
    # Postgres cannot even compare with a text that has a NUL.
    found = None if "\x00" in slug else session.scalar(_published().where(Product.slug == slug))
    if found is None:
        raise UnknownProduct("There is no product at this address. It may have been renamed or taken off the shelf.")
    return found


def _published() -> Select[Product]:
    variants = selectinload(Product.variants).immediateload(Variant.product)  # which is at hand: no further query
    return select(Product).where(Product.published).options(variants, selectinload(Product.images))


def _search(query: Select[Product], q: str) -> Select[Product]:
    if len(q) > LONGEST_SEARCH:
        raise InvalidInput(f"q has to have at most {LONGEST_SEARCH} characters.", field="q")
    for word in fold(q).split():
        query = query.where(Product.search_text.contains(word, autoescape=True))
    return query


def _encode(product_id: int) -> str:
    return base64.urlsafe_b64encode(str(product_id).encode()).decode().rstrip("=")


def _decode(cursor: str) -> int:
    try:
        digits = base64.urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4)).decode("ascii")
    except (binascii.Error, UnicodeError) as error:
        raise _bad_cursor() from error
    if not digits.isdigit() or len(digits) > MOST_DIGITS or _encode(int(digits)) != cursor:
        raise _bad_cursor()
    return int(digits)


def _bad_cursor() -> InvalidInput:
    return InvalidInput("cursor has to be a next_cursor that this shop gave.", field="cursor")
