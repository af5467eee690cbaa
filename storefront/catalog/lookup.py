"""Looking variants up by SKU, for those who only have that: cart lines, orders."""

from collections.abc import Collection

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session, joinedload

from storefront.catalog.models import Product, Variant


def variants_by_sku(engine: Engine, skus: Collection[str]) -> dict[str, Variant]:
    """The variants with these SKUs, each with its product and the product's images; unknown SKUs are left out."""
    if not skus:
        return {}
    query = select(Variant).where(Variant.sku.in_(skus))
    with Session(engine) as session:
        variants = session.scalars(query.options(joinedload(Variant.product).selectinload(Product.images))).all()
        return {variant.sku: variant for variant in variants}
