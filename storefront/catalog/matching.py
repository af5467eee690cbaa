"""Which variant of the shop a row of a product file means, and which SKU a new one gets.

A SKU is what stock, carts and orders hang on, so it never changes and never moves to another
product. A row with a SKU means the variant of that SKU; a row without one means the variant with
the same options, and gets a SKU made of handle and options where there is none.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from storefront.catalog.findings import Findings
from storefront.catalog.models import Product, Variant
from storefront.catalog.shopify_csv import ParsedProduct, ParsedVariant
from storefront.catalog.sku import free_sku, plain_sku

SLICE = 1000  # SKUs asked for in one query


@dataclass(frozen=True)
class Match:
    """A row and the variant it means; stored is None where the variant is new."""

    row: ParsedVariant
    sku: str
    stored: Variant | None


class SkuRegister:
    """Who has which SKU: the shop, and the rows of the file that were accepted so far."""

    def __init__(self, products: Sequence[ParsedProduct]):
        self.named_in_file = {row.sku for product in products for row in product.variants if row.sku}
        self.lines: dict[str, int] = {}
        self.owners: dict[str, str] = {}  # slugs by SKU, of the shop

    def look_up(self, session: Session, products: Sequence[ParsedProduct]) -> None:
        """Learn who has the SKUs that these products name or would get."""
        skus = sorted({row.sku or plain_sku(it.slug, row.options) for it in products for row in it.variants})
        for start in range(0, len(skus), SLICE):
            self._ask(session, skus[start : start + SLICE])

    def _ask(self, session: Session, skus: Sequence[str]) -> None:
        query = select(Variant.sku, Product.slug).join(Variant.product).where(Variant.sku.in_(skus))
        self.owners.update((sku, slug) for sku, slug in session.execute(query))

    def make(self, session: Session, slug: str, row: ParsedVariant) -> str:
        """A SKU that nobody has, neither in the shop nor in the file."""
        plain = plain_sku(slug, row.options)

        def is_taken(sku: str) -> bool:
            if sku != plain and sku not in self.owners:
                self._ask(session, [sku])
            return sku in self.owners or sku in self.named_in_file or sku in self.lines

        return free_sku(plain, is_taken)


def match_variants(
    session: Session, parsed: ParsedProduct, stored: Product | None, register: SkuRegister, findings: Findings
) -> list[Match]:
    """Match the rows of a product; rows that cannot be are refused in `findings`.

    Returns no match at all where the product's first row is refused.
    """
    variants = list(stored.variants) if stored else []
    sound = [row for row in parsed.variants if _is_free(row, parsed.slug, register, findings)]
    found = dict(_find_stored(sound, variants))
    sound = _without_doubles(sound, found, variants, findings)
    left = _left_over(sound, found, variants)
    if stored and left and len(stored.option_names) != len(parsed.option_names):
        findings.refuse(
            parsed.lines[0], "Option1 Name",
            f"the number of options changes, and the shop's variant {left[0].sku!r} has no sound row to say its own",
        )  # fmt: skip
    if parsed.lines[0] in findings.refused_lines:
        findings.refuse_product(parsed.slug, parsed.lines)
        return []
    return [_match(session, parsed.slug, row, found.get(row.line), register) for row in sound]


def _is_free(row: ParsedVariant, slug: str, register: SkuRegister, findings: Findings) -> bool:
    """Whether the row may have its SKU."""
    owner = register.owners.get(row.sku, slug) if row.sku else slug
    if row.sku and row.sku in register.lines:
        findings.refuse(row.line, "Variant SKU", f"{row.sku!r} is the SKU of line {register.lines[row.sku]} already")
    elif owner != slug:
        findings.refuse(row.line, "Variant SKU", f"{row.sku!r} belongs to the product {owner!r}")
    else:
        register.lines.update({row.sku: row.line} if row.sku else {})
        return True
    return False


def _find_stored(rows: list[ParsedVariant], variants: list[Variant]) -> Iterator[tuple[int, Variant]]:
    """The variants that rows mean, by line."""
    by_sku = {variant.sku: variant for variant in variants}
    named = {row.sku for row in rows}
    by_options = {_options(variant): variant for variant in variants if variant.sku not in named}
    for row in rows:
        variant = by_sku.get(row.sku) if row.sku else by_options.get(row.options)
        if variant:
            yield row.line, variant


def _without_doubles(
    rows: list[ParsedVariant], found: dict[int, Variant], variants: list[Variant], findings: Findings
) -> list[ParsedVariant]:
    """The rows whose options no variant has that stays as it is; refusing one may leave another as it is."""
    while True:
        staying = {_options(variant): variant.sku for variant in _left_over(rows, found, variants)}
        doubles = [row for row in rows if row.options in staying]
        if not doubles:
            return rows
        for row in doubles:
            reason = f"a variant with these options is sold as {staying[row.options]!r} already; a SKU never changes"
            findings.refuse(row.line, "Variant SKU", reason)
        rows = [row for row in rows if row not in doubles]


def _left_over(rows: list[ParsedVariant], found: dict[int, Variant], variants: list[Variant]) -> list[Variant]:
    meant = {found[row.line].sku for row in rows if row.line in found}
    return [variant for variant in variants if variant.sku not in meant]


def _options(variant: Variant) -> tuple[str, ...]:
    return (variant.option1, variant.option2, variant.option3)


def _match(session: Session, slug: str, row: ParsedVariant, variant: Variant | None, register: SkuRegister) -> Match:
    sku = variant.sku if variant else row.sku or register.make(session, slug, row)
    register.lines[sku] = row.line
    return Match(row, sku, variant)
