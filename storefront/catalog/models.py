"""The tables of the catalogue: products, their images and their variants."""

from decimal import Decimal
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Numeric, String, Text, event
from sqlalchemy.orm import Mapped, mapped_column, relationship

from storefront.catalog.wording import fold
from storefront.core.db import db


class Product(db.Model):
    """What is shown. Its slug is the Handle of the product file."""

    __tablename__ = "products"

    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(String(255), unique=True)
    title: Mapped[str] = mapped_column(String(255))
    body_html: Mapped[str] = mapped_column(Text, default="")  # sanitised when it came in
    vendor: Mapped[str] = mapped_column(String(255), default="")
    type: Mapped[str] = mapped_column(String(255), default="")
    tags: Mapped[list[str]] = mapped_column(JSON, default=list)
    published: Mapped[bool] = mapped_column(default=True)
    option_names: Mapped[list[str]] = mapped_column(JSON, default=list)  # up to 3; none: one variant, no choice
    seo_title: Mapped[str] = mapped_column(Text, default="")
    seo_description: Mapped[str] = mapped_column(Text, default="")
    search_text: Mapped[str] = mapped_column(Text, default="")

    images: Mapped[list["Image"]] = relationship(
        back_populates="product", order_by="Image.position", cascade="all, delete-orphan", passive_deletes=True
    )
    variants: Mapped[list["Variant"]] = relationship(
        back_populates="product", order_by="Variant.position", cascade="all, delete-orphan", passive_deletes=True
    )

    @property
    def image(self) -> "Image | None":
        return self.images[0] if self.images else None

    @property
    def price_from(self) -> Decimal:
        return min((variant.price for variant in self.variants), default=Decimal("0.00"))

    @property
    def price_varies(self) -> bool:
        return len({variant.price for variant in self.variants}) > 1


class Image(db.Model):
    """A picture of a product, by its URL."""

    __tablename__ = "product_images"

    id: Mapped[int] = mapped_column(primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id", ondelete="CASCADE"), index=True)
    url: Mapped[str] = mapped_column(Text)
    alt: Mapped[str] = mapped_column(Text, default="")
    position: Mapped[int]

    product: Mapped[Product] = relationship(back_populates="images")


class Variant(db.Model):
    """What is sold and counted. Its SKU never changes: stock, carts and orders hang on it."""

    __tablename__ = "variants"
    __table_args__ = (
        CheckConstraint("price >= 0", name="price"),
        CheckConstraint("compare_at_price >= 0", name="compare_at_price"),
        CheckConstraint("inventory_policy IN ('deny', 'continue')", name="inventory_policy"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id", ondelete="CASCADE"), index=True)
    sku: Mapped[str] = mapped_column(String(64), unique=True)
    position: Mapped[int]
    option1: Mapped[str] = mapped_column(String(255), default="")
    option2: Mapped[str] = mapped_column(String(255), default="")
    option3: Mapped[str] = mapped_column(String(255), default="")
    price: Mapped[Decimal] = mapped_column(Numeric(12, 2))
    compare_at_price: Mapped[Decimal | None] = mapped_column(Numeric(12, 2))
    # Kept for the way back to Shopify only: what is not there is never sold here.
    inventory_policy: Mapped[str] = mapped_column(String(8), default="deny")
    image_url: Mapped[str | None] = mapped_column(Text)
    grams: Mapped[int] = mapped_column(default=0)
    weight_unit: Mapped[str] = mapped_column(String(8), default="")
    barcode: Mapped[str] = mapped_column(String(255), default="")
    taxable: Mapped[bool] = mapped_column(default=True)
    requires_shipping: Mapped[bool] = mapped_column(default=True)

    product: Mapped[Product] = relationship(back_populates="variants")

    @property
    def option_values(self) -> tuple[str, ...]:
        """The values in the order of the product's option names; none where there is no choice."""
        return tuple(value for value in (self.option1, self.option2, self.option3) if value)

    @property
    def options(self) -> dict[str, str]:
        return dict(zip(self.product.option_names, self.option_values, strict=False))

    @property
    def title(self) -> str:
        return " / ".join(self.option_values)


@event.listens_for(Product, "before_insert")
@event.listens_for(Product, "before_update")
def _renew_search_text(_mapper: Any, _connection: Any, product: Product) -> None:
    words = (product.title, product.vendor, product.type, *(product.tags or ()))
    product.search_text = fold(" ".join(word or "" for word in words))
