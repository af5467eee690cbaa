"""The catalogue as visitors and programs get it."""

from pathlib import Path

import pytest
from flask.testing import FlaskClient
from markupsafe import escape

from .conftest import Import, everything, import_file, mug, sized

APPAREL = Path(__file__).resolve().parents[3] / "shared" / "data" / "apparel.csv"
ROWS = (
    mug(Option1_Name="Size", Option1_Value="S", Body__HTML_="<p>Clay</p><script>steal()</script>"),
    sized("L", "MUG-L", Variant_Price="21"),
)


@pytest.fixture
def mugs(import_rows: Import) -> None:
    first, second = ROWS
    import_rows({**first, "Body (HTML)": first["Body  HTML "]}, second)


def test_the_home_page_lists_products(visitor: FlaskClient, mugs: None) -> None:
    answer = visitor.get("/")

    assert answer.status_code == 200
    assert 'href="/products/mug"' in answer.text
    assert "€18.50" in answer.text


def test_the_home_page_of_an_empty_shop_is_there(visitor: FlaskClient) -> None:
    assert visitor.get("/").status_code == 200


def test_the_home_page_searches_and_shows_what_was_asked_as_text(visitor: FlaskClient, mugs: None) -> None:
    found, missed = visitor.get("/?q=mug"), visitor.get("/?q=<b>cup</b>")

    assert 'href="/products/mug"' in found.text
    assert 'href="/products/mug"' not in missed.text
    assert str(escape("<b>cup</b>")) in missed.text and "<b>cup</b>" not in missed.text


def test_the_home_page_leads_on_to_the_next(visitor: FlaskClient, import_rows: Import) -> None:
    import_rows(*(mug(Handle=f"mug-{number}", Variant_SKU=f"M{number}") for number in range(25)))

    next_cursor = visitor.get("/api/v1/products?limit=24").get_json()["next_cursor"]
    first, second = visitor.get("/"), visitor.get(f"/?cursor={next_cursor}")

    assert f"cursor={next_cursor}" in first.text
    assert "/products/mug-24" not in first.text
    assert "/products/mug-24" in second.text and "/products/mug-23" not in second.text


def test_a_product_page_shows_its_first_variant_and_a_text_without_scripts(visitor: FlaskClient, mugs: None) -> None:
    answer = visitor.get("/products/mug")

    assert answer.status_code == 200
    assert "<p>Clay</p>" in answer.text
    assert "steal()" not in answer.text
    assert 'name="sku" value="MUG"' in answer.text


@pytest.mark.parametrize(("asked", "shown"), [("MUG-L", "MUG-L"), ("MUG-XXL", "MUG"), ("", "MUG")])
def test_a_product_page_shows_the_variant_that_is_asked_for(
    visitor: FlaskClient, mugs: None, asked: str, shown: str
) -> None:
    answer = visitor.get("/products/mug", query_string={"sku": asked})

    assert f'name="sku" value="{shown}"' in answer.text


def test_an_unknown_product_is_a_page_that_says_so(visitor: FlaskClient) -> None:
    answer = visitor.get("/products/nothing")

    assert answer.status_code == 404
    assert answer.mimetype == "text/html"
    assert "There is no such product" in answer.text


def test_the_api_lists_products_with_variants_and_prices_as_text(visitor: FlaskClient, mugs: None) -> None:
    answer = visitor.get("/api/v1/products")

    variants = [
        {"sku": "MUG", "price": "18.50", "options": {"Size": "S"}},
        {"sku": "MUG-L", "price": "21.00", "options": {"Size": "L"}},
    ]
    assert answer.get_json() == {
        "products": [{"slug": "mug", "title": "Mug", "variants": variants}],
        "next_cursor": None,
    }


def test_the_api_gives_one_product(visitor: FlaskClient, mugs: None) -> None:
    one = visitor.get("/api/v1/products/mug").get_json()

    assert one == visitor.get("/api/v1/products").get_json()["products"][0]


def test_the_api_pages_and_searches(visitor: FlaskClient, import_rows: Import) -> None:
    import_rows(*(mug(Handle=f"mug-{number}", Variant_SKU=f"M{number}") for number in range(3)), mug(Handle="x"))

    first = visitor.get("/api/v1/products?q=mug&limit=2").get_json()
    second = visitor.get(f"/api/v1/products?q=mug&limit=2&cursor={first['next_cursor']}").get_json()

    assert [product["slug"] for product in first["products"] + second["products"]] == ["mug-0", "mug-1", "mug-2", "x"]
    assert second["next_cursor"] is None


@pytest.mark.parametrize(
    "asked",
    [
        "limit=0",
        "limit=101",
        "limit=x",
        "limit=1.5",
        "limit=",
        "limit=-1",
        "limit=99999999999",
        "cursor=x",
        "q=" + "x" * 201,
    ],
)
def test_the_api_refuses_what_it_cannot_take(visitor: FlaskClient, asked: str) -> None:
    answer = visitor.get(f"/api/v1/products?{asked}")

    assert (answer.status_code, answer.mimetype) == (422, "application/problem+json")
    assert answer.get_json()["code"] == "invalid_input"


def test_the_api_knows_no_unpublished_product(visitor: FlaskClient, import_rows: Import) -> None:
    import_rows(mug(Published="false"))

    answer = visitor.get("/api/v1/products/mug")

    assert (answer.status_code, answer.get_json()["code"]) == (404, "unknown_product")
    assert visitor.get("/products/mug").status_code == 404
    assert visitor.get("/api/v1/products").get_json()["products"] == []


@pytest.mark.skipif(not APPAREL.exists(), reason="the shared data is not here")
def test_every_variant_of_a_real_shop_can_be_opened(visitor: FlaskClient) -> None:
    import_file(APPAREL.read_bytes())

    opened = {
        (product["slug"], variant["sku"]): visitor.get(
            f"/products/{product['slug']}", query_string={"sku": variant["sku"]}
        )
        for product in everything()
        for variant in product["variants"]
    }

    assert len(opened) == 22
    assert all(f'name="sku" value="{sku}"' in answer.text for (_, sku), answer in opened.items())
