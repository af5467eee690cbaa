"""What the shop shows, page by page and by search."""

import base64

import pytest
from flask import Flask

from storefront.catalog import listing
from storefront.core.db import db
from storefront.core.errors import InvalidInput

from .conftest import Import, mug, sized


def slugs(**asked: object) -> list[str]:
    return [product.slug for product in listing.list_products(db.session(), **asked).products]  # type: ignore[arg-type]


def shelf(count: int) -> list[dict[str, str]]:
    return [mug(Handle=f"mug-{number}", Title=f"Mug {number}", Variant_SKU=f"M{number}") for number in range(count)]


def test_pages_follow_each_other_without_a_gap_or_a_repeat(import_rows: Import) -> None:
    import_rows(*shelf(5))

    first = listing.list_products(db.session(), limit=2)
    second = listing.list_products(db.session(), limit=2, cursor=first.next_cursor or "")
    third = listing.list_products(db.session(), limit=2, cursor=second.next_cursor or "")

    pages = [[product.slug for product in page.products] for page in (first, second, third)]
    assert pages == [["mug-0", "mug-1"], ["mug-2", "mug-3"], ["mug-4"]]
    assert third.next_cursor is None


def test_a_last_page_that_is_full_has_no_next(import_rows: Import) -> None:
    import_rows(*shelf(2))

    assert listing.list_products(db.session(), limit=2).next_cursor is None


@pytest.mark.parametrize("products", [1, 20])
def test_a_page_takes_three_queries_however_long_it_is(import_rows: Import, queries: list[str], products: int) -> None:
    import_rows(*shelf(products))
    queries.clear()

    page = listing.list_products(db.session(), limit=20)
    shown = [
        (it.image, it.price_from, it.price_varies, it.variants[0].options, it.variants[0].title) for it in page.products
    ]

    assert len(shown) == products
    assert len([query for query in queries if query.startswith("SELECT")]) == 3


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("", ["brulee", "tee"]),
        ("creme", ["brulee"]),
        ("CRÈME  brûlée", ["brulee"]),
        ("brulee DISH", ["brulee"]),
        ("dish creme", ["brulee"]),
        ("dish tee", []),
        ("acme", ["tee"]),
        ("summer", ["tee"]),
        ("100%", ["tee"]),
        ("%", ["tee"]),
        ("_", []),
        ("\x00", ["brulee", "tee"]),
    ],
)
def test_a_search_finds_all_its_words_in_title_vendor_type_or_tags(
    import_rows: Import, q: str, found: list[str]
) -> None:
    import_rows(
        mug(Handle="brulee", Title="Crème Brûlée", Type="Dish", Variant_SKU="A"),
        mug(Handle="tee", Title="Tee 100%", Vendor="Acme", Tags="Summer, cotton", Variant_SKU="B"),
    )

    assert slugs(q=q) == found


def test_unpublished_products_are_neither_listed_nor_found(import_rows: Import) -> None:
    import_rows(mug(Published="false"), mug(Handle="cup", Variant_SKU="CUP"))

    assert slugs() == ["cup"]
    with pytest.raises(listing.UnknownProduct):
        listing.find_product(db.session(), "mug")


@pytest.mark.parametrize("slug", ["nothing", "MUG", "mug\x00"])
def test_a_slug_that_nobody_has_is_unknown(import_rows: Import, slug: str) -> None:
    import_rows(mug())

    with pytest.raises(listing.UnknownProduct):
        listing.find_product(db.session(), slug)


@pytest.mark.parametrize("content", ["-1", "one", "9" * 19, " 1", "٣", "01", ""])
def test_a_cursor_that_the_shop_did_not_give_is_refused(catalog_app: Flask, content: str) -> None:
    cursor = base64.urlsafe_b64encode(content.encode()).decode().rstrip("=") or "!"

    with pytest.raises(InvalidInput):
        listing.list_products(db.session(), cursor=cursor)


@pytest.mark.parametrize("limit", [0, -1, 101])
def test_a_page_has_1_to_100_products(catalog_app: Flask, limit: int) -> None:
    with pytest.raises(InvalidInput):
        listing.list_products(db.session(), limit=limit)


def test_a_search_of_more_than_200_characters_is_refused(catalog_app: Flask) -> None:
    with pytest.raises(InvalidInput):
        listing.list_products(db.session(), q="x" * 201)


def test_a_product_knows_its_options_prices_and_pictures(import_rows: Import) -> None:
    import_rows(
        mug(Option1_Name="Size", Option1_Value="S", Option2_Name="Glaze", Option2_Value="Fog", Image_Src="/1.jpg"),
        sized("L", "MUG-L", Option2_Value="Clay", Variant_Price="21"),
    )

    product = listing.find_product(db.session(), "mug")

    assert (str(product.price_from), product.price_varies) == ("18.50", True)
    assert product.image is not None and product.image.url == "/1.jpg"
    assert product.variants[1].options == {"Size": "L", "Glaze": "Clay"}
    assert product.variants[1].title == "L / Clay"


def test_a_product_without_a_choice_has_one_variant_without_a_title(import_rows: Import) -> None:
    import_rows(mug())

    (variant,) = listing.find_product(db.session(), "mug").variants

    assert (variant.title, variant.options) == ("", {})
    assert variant.product.image is None
