"""The catalogue as a product CSV that Shopify reads, and that imports back to the same catalogue."""

import csv
from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import zip_longest
from typing import TextIO

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from storefront.catalog.models import Image, Product, Variant
from storefront.catalog.shopify_csv import NO_CHOICE, OPTIONS

COLUMNS = (
    "Handle", "Title", "Body (HTML)", "Vendor", "Type", "Tags", "Published",
    "Option1 Name", "Option1 Value", "Option2 Name", "Option2 Value", "Option3 Name", "Option3 Value",
    "Variant SKU", "Variant Grams", "Variant Inventory Tracker", "Variant Inventory Qty", "Variant Inventory Policy",
    "Variant Fulfillment Service", "Variant Price", "Variant Compare At Price", "Variant Requires Shipping",
    "Variant Taxable", "Variant Barcode", "Image Src", "Image Position", "Image Alt Text", "Gift Card",
    "SEO Title", "SEO Description", "Variant Image", "Variant Weight Unit",
)  # fmt: skip
PRODUCTS_AT_ONCE = 200

Cells = dict[str, str]


def export_products(file: TextIO, session: Session, units_of: Callable[[list[str]], dict[str, int]]) -> int:
    """Write every product to `file` (opened with newline="") and return how many there were.

    units_of: the units to write for each SKU; a SKU it does not know gets an empty cell.
    """
    writer = csv.DictWriter(file, COLUMNS, restval="")
    writer.writeheader()
    count = 0
    for products in _slices(session):
        units = units_of([variant.sku for product in products for variant in product.variants])
        for product in products:
            writer.writerows(_rows(product, units))
        count += len(products)
    return count


def _slices(session: Session) -> Iterator[list[Product]]:
    query = select(Product).options(selectinload(Product.variants), selectinload(Product.images))
    last = 0
    while products := list(
        session.scalars(query.where(Product.id > last).order_by(Product.id).limit(PRODUCTS_AT_ONCE))
    ):
        last = products[-1].id
        yield products
        session.expunge_all()


def _rows(product: Product, units: dict[str, int]) -> Iterator[Cells]:
    """A row for each variant, the pictures beside them, rows of their own for pictures that are left."""
    head = _product_cells(product)
    for variant, image in zip_longest(product.variants, product.images):
        cells = {"Handle": product.slug, **head}
        if variant:
            cells |= _variant_cells(variant, units)
        if image:
            cells |= _image_cells(image)
        yield cells
        head = {}


def _product_cells(product: Product) -> Cells:
    names = product.option_names or NO_CHOICE[:1]
    return {
        "Title": product.title,
        "Body (HTML)": product.body_html,
        "Vendor": product.vendor,
        "Type": product.type,
        "Tags": ", ".join(product.tags),
        "Published": _flag(product.published),
        "Gift Card": "false",
        "SEO Title": product.seo_title,
        "SEO Description": product.seo_description,
        **{column: name for (column, _), name in zip(OPTIONS, names, strict=False)},
    }


def _variant_cells(variant: Variant, units: dict[str, int]) -> Cells:
    values = variant.option_values or NO_CHOICE[1:]
    return {
        "Variant SKU": variant.sku,
        "Variant Grams": str(variant.grams),
        "Variant Inventory Tracker": "shopify",
        "Variant Inventory Qty": str(units[variant.sku]) if variant.sku in units else "",
        "Variant Inventory Policy": variant.inventory_policy,
        "Variant Fulfillment Service": "manual",
        "Variant Price": _price(variant.price),
        "Variant Compare At Price": _price(variant.compare_at_price),
        "Variant Requires Shipping": _flag(variant.requires_shipping),
        "Variant Taxable": _flag(variant.taxable),
        "Variant Barcode": variant.barcode,
        "Variant Image": variant.image_url or "",
        "Variant Weight Unit": variant.weight_unit,
        **{column: value for (_, column), value in zip(OPTIONS, values, strict=False)},
    }


def _image_cells(image: Image) -> Cells:
    return {"Image Src": image.url, "Image Position": str(image.position), "Image Alt Text": image.alt}


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _price(price: Decimal | None) -> str:
    return "" if price is None else f"{price:.2f}"
