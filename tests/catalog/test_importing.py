"""Product files on their way into the shop: what is made, what is updated, what stays as it is."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from storefront.catalog import events, importing
from storefront.catalog.models import Product
from storefront.core.db import db

from .conftest import DATA, Import, as_csv, everything, import_file, mug, sized, skus

SMALL = {"Option1_Name": "Size", "Option1_Value": "S"}
APPAREL = Path(__file__).resolve().parents[3] / "shared" / "data" / "apparel.csv"
CUP = {"Handle": "cup", "Title": "Cup", "Variant Price": "5"}


def test_a_file_becomes_products_variants_and_pictures(catalog_app: Flask) -> None:
    done = import_file((DATA / "teas.csv").read_bytes())

    tea, pot = everything()
    assert (done.products.new, done.variants.new) == (2, 4)
    assert (tea["slug"], tea["title"], tea["vendor"]) == ("green-tea", "Green Tea", "Tea & Co")
    assert [variant["price"] for variant in tea["variants"]] == [Decimal("6.50"), Decimal("7.00"), Decimal("14.00")]
    assert [image["position"] for image in tea["images"]] == [1, 2, 3]
    assert (pot["published"], pot["variants"][0]["taxable"]) == (False, False)


def test_importing_twice_gives_the_same_catalogue(catalog_app: Flask) -> None:
    file = (DATA / "teas.csv").read_bytes()
    import_file(file)
    before = everything()

    again = import_file(file)

    assert everything() == before
    assert (again.products.same, again.variants.same) == (2, 4)
    assert (again.products.new, again.products.changed, again.variants.new, again.variants.changed) == (0, 0, 0, 0)


def test_importing_again_updates(import_rows: Import) -> None:
    import_rows(mug(Tags="clay"))

    done = import_rows(mug(Title="Big mug", Variant_Price="20", Tags="clay, big"))

    (product,) = everything()
    assert (done.products.changed, done.variants.changed) == (1, 1)
    assert (product["title"], product["tags"]) == ("Big mug", ["clay", "big"])
    assert product["variants"][0]["price"] == Decimal("20.00")
    assert product["search_text"] == "big mug clay big"


def test_what_the_file_does_not_mention_stays(import_rows: Import) -> None:
    picture = "https://images.example/1.jpg"
    import_rows(mug(**SMALL, Vendor="Kiln", Image_Src=picture, Image_Alt_Text="A mug"), sized("M", "MUG-M"), CUP)

    import_rows({"Handle": "mug", "Title": "Mug", "Option1 Name": "Size"} | sized("M", "MUG-M", Variant_Price="19"))

    product, cup = everything()
    assert (product["vendor"], cup["slug"]) == ("Kiln", "cup")
    assert [(it["url"], it["alt"]) for it in product["images"]] == [(picture, "A mug")]
    assert [(it["sku"], it["position"], it["price"]) for it in product["variants"]] == [
        ("MUG-M", 1, Decimal("19.00")),
        ("MUG", 2, Decimal("18.50")),
    ]


def test_a_new_picture_comes_before_those_the_file_does_not_mention(import_rows: Import) -> None:
    import_rows(mug(Image_Src="/old.jpg"))

    import_rows(mug(Image_Src="/new.jpg"))

    assert [(image["url"], image["position"]) for image in everything()[0]["images"]] == [
        ("/new.jpg", 1),
        ("/old.jpg", 2),
    ]


def test_a_known_product_whose_first_row_is_bad_stays_as_it_was(import_rows: Import) -> None:
    import_rows(mug(**SMALL), sized("M", "MUG-M"))
    before = everything()

    done = import_rows(mug(**SMALL, Title=""), sized("M", "MUG-M", Variant_Price="1"))

    assert done.findings.refused_lines == {2, 3}
    assert everything() == before


def test_units_are_told_once_in_a_transaction_before_it_ends(import_rows: Import, told: list[dict[str, Any]]) -> None:
    seen = []
    events.variants_imported.connect(
        lambda _, session, **said: seen.append((len(session.new), session.scalar(db.select(Product.title)))), weak=False
    )

    import_rows(
        mug(**SMALL, Variant_Inventory_Qty="3"),
        sized("M", Variant_Inventory_Qty="-2"),
        sized("L"),
        {**CUP, "Variant Inventory Qty": "9"},
        set_stock=True,
    )

    assert [(said["units"], said["set_stock"]) for said in told] == [
        ({"MUG": 3, "MUG-M": 0, "MUG-L": 0, "CUP": 9}, True)
    ]
    assert seen == [(0, "Mug")]


def test_an_empty_quantity_says_nothing_about_a_known_sku(import_rows: Import, told: list[dict[str, Any]]) -> None:
    import_rows(mug(**SMALL, Variant_Inventory_Qty="3"))

    import_rows(mug(**SMALL), sized("M"), set_stock=True)

    assert told[1]["units"] == {"MUG-M": 0}


def test_the_units_of_a_made_sku_are_told_under_it_again(import_rows: Import, told: list[dict[str, Any]]) -> None:
    import_rows(mug(Variant_SKU=""), {**CUP, "Variant SKU": "CUP"})

    import_rows(mug(Variant_SKU="", Variant_Inventory_Qty="5"))

    assert told[1]["units"] == {"MUG": 5}


def test_a_refused_row_tells_no_units(import_rows: Import, told: list[dict[str, Any]]) -> None:
    import_rows(mug(Variant_Inventory_Qty="3"), {**CUP, "Variant SKU": "MUG", "Variant Inventory Qty": "8"})

    assert told[0]["units"] == {"MUG": 3}


def test_when_a_listener_fails_nothing_of_its_transaction_stays(import_rows: Import) -> None:
    def fail(_: object, **said: Any) -> None:
        raise RuntimeError("no stock today")

    events.variants_imported.connect(fail, weak=False)

    with pytest.raises(RuntimeError, match="no stock today"):
        import_rows(mug())

    assert everything() == []


@pytest.mark.parametrize("rows_per_transaction", [1, 500])
def test_a_dry_run_reports_the_same_and_writes_and_tells_nothing(
    import_rows: Import, told: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, rows_per_transaction: int
) -> None:
    monkeypatch.setattr(importing, "ROWS_PER_TRANSACTION", rows_per_transaction)
    import_rows({**CUP, "Variant SKU": "CUP"})
    before = everything()
    rows = [
        mug(**SMALL, Variant_SKU=""),
        sized("M", Variant_Price="x"),
        {**CUP, "Title": "Big cup", "Variant SKU": "CUP"},
        {**CUP, "Handle": "jar", "Variant SKU": "CUP"},
        {**CUP, "Handle": "mug-s", "Variant SKU": "", "Variant Inventory Policy": "continue"},
    ]

    dry = import_rows(*rows, dry_run=True)

    assert everything() == before
    assert len(told) == 1
    wet = import_rows(*rows)
    assert (dry.products, dry.variants, dry.findings) == (wet.products, wet.variants, wet.findings)
    assert skus() == ["CUP", "MUG-S", "MUG-S-2"]


def test_progress_counts_every_row_of_the_products(import_rows: Import) -> None:
    steps: list[int] = []

    import_rows(mug(**SMALL), sized("M"), CUP, advance=steps.append)

    assert sum(steps) == 3


def test_the_shop_is_not_asked_about_each_variant(import_rows: Import, queries: list[str]) -> None:
    import_rows(mug(**SMALL, Variant_SKU=""), *(sized(f"M{number}") for number in range(300)))

    # SQLite gives the ids of new rows one by one, Postgres all at once.
    assert len([sql for sql in queries if not sql.startswith("INSERT")]) < 10


@pytest.mark.skipif(not APPAREL.exists(), reason="the shared data is not here")
def test_a_real_shops_file_imports_completely_and_twice(catalog_app: Flask, told: list[dict[str, Any]]) -> None:
    first = import_file(APPAREL.read_bytes())
    before = everything()

    second = import_file(APPAREL.read_bytes())

    assert (len(first.findings.errors), first.products.new, first.variants.new) == (0, 20, 22)
    assert (second.products.same, second.variants.same) == (20, 22)
    assert everything() == before
    assert told[0]["units"].keys() == set(skus())
    assert set(told[0]["units"].values()) == {1}
    assert {"CLASSIC-VARSITY-TOP-SMALL", "OCEAN-BLUE-SHIRT"} <= set(skus())


def test_the_file_is_read_as_written(catalog_app: Flask) -> None:
    import_file(b"\xef\xbb\xbf" + as_csv(mug(Variant_Compare_At_Price="20")).replace(b"\r\n", b"\n"))

    assert everything()[0]["variants"][0]["compare_at_price"] == Decimal("20.00")
