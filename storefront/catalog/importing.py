"""Parsed products on their way into SQL.

What the file does not mention stays: products, the variants of a mentioned product (stock may be
promised to them), its pictures, and every field whose column is missing. Importing the same file
again changes nothing. Rows go in by slices, a transaction each, so that the shop can go on writing
while a big file comes in; an import that was cut off is completed by running it again.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TypeVar

from sqlalchemy import Engine, select, text
from sqlalchemy.orm import Session, selectinload

from storefront.catalog import events
from storefront.catalog.findings import Findings
from storefront.catalog.matching import Match, SkuRegister, match_variants
from storefront.catalog.models import Image, Product, Variant
from storefront.catalog.shopify_csv import ParsedProduct
from storefront.core.db import transaction

Placed = TypeVar("Placed", Image, Variant)

ROWS_PER_TRANSACTION = 500
IMPORT_LOCK = 5_302_017  # any number that no other advisory lock of the shop has


@dataclass
class Tally:
    """How many were new, changed, or as in the file already."""

    new: int = 0
    changed: int = 0
    same: int = 0

    def count(self, is_new: bool, is_changed: bool) -> None:
        self.new += is_new
        self.changed += is_changed and not is_new
        self.same += not is_changed and not is_new


@dataclass
class Imported:
    """What an import did, or with dry_run would have done."""

    dry_run: bool
    findings: Findings
    products: Tally = field(default_factory=Tally)
    variants: Tally = field(default_factory=Tally)


def import_products(
    engine: Engine,
    products: list[ParsedProduct],
    findings: Findings,
    *,
    set_stock: bool = False,
    dry_run: bool = False,
    advance: Callable[[int], object] = lambda rows: None,
) -> Imported:
    """Create and update products, and tell the units of their variants by `variants_imported`.

    set_stock: passed on with the units; dry_run: write and tell nothing, find and count the same;
    advance: called with the number of rows each time some are done.
    Rows that cannot go in are added to `findings`.
    """
    done = Imported(dry_run, findings)
    register = SkuRegister(products)
    for some in _slices(products):
        with _writing(engine, dry_run) as session:
            with session.no_autoflush:
                units = _import_slice(session, some, register, done)
            if not dry_run:
                session.flush()
                events.variants_imported.send(session=session, units=units, set_stock=set_stock)
        advance(sum(len(parsed.lines) for parsed in some))
    return done


def _slices(products: list[ParsedProduct]) -> Iterator[list[ParsedProduct]]:
    """The products by some hundred rows; a product is never cut."""
    some: list[ParsedProduct] = []
    for parsed in products:
        some.append(parsed)
        if sum(len(it.lines) for it in some) >= ROWS_PER_TRANSACTION:
            yield some
            some = []
    if some:
        yield some


def _writing(engine: Engine, dry_run: bool) -> AbstractContextManager[Session]:
    """A session whose changes are kept, or with dry_run thrown away."""
    return Session(engine) if dry_run else transaction(engine)


def _import_slice(
    session: Session, products: list[ParsedProduct], register: SkuRegister, done: Imported
) -> dict[str, int]:
    """Put some products into the session; return the units of their variants."""
    if session.get_bind().dialect.name == "postgresql":
        # Two imports at once would both find a product missing; the second waits for the first.
        session.execute(text(f"SELECT pg_advisory_xact_lock({IMPORT_LOCK})"))
    stored = _load(session, [parsed.slug for parsed in products])
    register.look_up(session, products)
    units: dict[str, int] = {}
    for parsed in products:
        matches = match_variants(session, parsed, stored.get(parsed.slug), register, done.findings)
        if matches:
            _put(session, parsed, stored.get(parsed.slug), matches, done)
            units.update(_units(matches))
    return units


def _load(session: Session, slugs: list[str]) -> dict[str, Product]:
    together = (selectinload(Product.variants), selectinload(Product.images))
    query = select(Product).where(Product.slug.in_(slugs)).options(*together)
    return {product.slug: product for product in session.scalars(query)}


def _units(matches: list[Match]) -> dict[str, int]:
    """Units by SKU: 0 for a new variant without a quantity, nothing for one that is known."""
    return {
        match.sku: match.row.units or 0
        for match in matches
        if match.row.units is not None or match.stored is None
    }  # fmt: skip


def _put(session: Session, parsed: ParsedProduct, stored: Product | None, matches: list[Match], done: Imported) -> None:
    product = stored or Product(slug=parsed.slug)
    changed = _assign(product, {**parsed.fields, "option_names": list(parsed.option_names)})
    changed |= _put_images(product, parsed)
    if stored is None:
        session.add(product)
    changed |= _put_variants(product, matches, done)
    done.products.count(stored is None, changed)


def _put_variants(product: Product, matches: list[Match], done: Imported) -> bool:
    """Write the file's variants first and in its order, then those it does not mention."""
    in_file: list[Variant] = []
    any_changed = False
    for match in matches:
        variant = match.stored or Variant(sku=match.sku)
        options = dict(zip(("option1", "option2", "option3"), match.row.options, strict=True))
        changed = _assign(variant, {**match.row.fields, **options})
        in_file.append(variant)
        done.variants.count(match.stored is None, changed)
        any_changed |= changed or match.stored is None
    return _order(product.variants, in_file) or any_changed


def _put_images(product: Product, parsed: ParsedProduct) -> bool:
    """Write the file's pictures first and in its order, then those it does not mention."""
    stored = {image.url: image for image in product.images}
    in_file = [stored.get(image.url) or Image(url=image.url) for image in parsed.images]
    changes = [_assign(model, image.fields) for model, image in zip(in_file, parsed.images, strict=True)]
    return _order(product.images, in_file) or any(changes)


def _order(stored: list[Placed], in_file: list[Placed]) -> bool:
    """Number `in_file`, then the rest of `stored`, from 1, and add to `stored` what is new."""
    rest: list[Placed] = [model for model in stored if model not in in_file]
    changes = [_assign(model, {"position": place}) for place, model in enumerate([*in_file, *rest], start=1)]
    stored.extend([model for model in in_file if model not in stored])
    return any(changes)


def _assign(model: Product | Image | Variant, values: dict[str, object]) -> bool:
    """Set the values that differ; return whether any did."""
    different = {name: value for name, value in values.items() if getattr(model, name) != value}
    for name, value in different.items():
        setattr(model, name, value)
    return bool(different)
