"""The catalogue as a file, and back."""

import csv
import io
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask

from storefront.catalog import exporting
from storefront.catalog.commands import DEMO_FILE
from storefront.core.db import db

from .conftest import DATA, Import, everything, import_file, mug, sized


def four_of_each(skus: list[str]) -> dict[str, int]:
    return dict.fromkeys(skus, 4)


def export(units_of: Callable[[list[str]], dict[str, int]] = four_of_each) -> str:
    file = io.StringIO(newline="")
    exporting.export_products(file, db.session(), units_of)
    return file.getvalue()


def rows_of(text: str) -> Iterator[dict[str, str]]:
    return csv.DictReader(io.StringIO(text, newline=""))


def empty_the_shop() -> None:
    db.session.rollback()
    db.drop_all()
    db.create_all()


@pytest.mark.parametrize("file", [DATA / "teas.csv", DEMO_FILE], ids=lambda file: file.name)
def test_an_export_imports_back_to_the_same_catalogue(catalog_app: Flask, file: Path) -> None:
    import_file(file.read_bytes())
    before = everything()
    exported = export()
    empty_the_shop()

    done = import_file(exported.encode())

    assert done.findings.errors == []
    assert everything() == before
    assert export() == exported


def test_an_export_changes_nothing_in_the_shop_it_came_from(catalog_app: Flask) -> None:
    import_file((DATA / "teas.csv").read_bytes())

    done = import_file(export().encode())

    assert (done.products.same, done.variants.same) == (2, 4)


def test_only_the_first_row_of_a_product_names_what_is_common(import_rows: Import) -> None:
    import_rows(mug(Option1_Name="Size", Option1_Value="S"), sized("M", "MUG-M"))

    first, second = rows_of(export())

    assert (first["Title"], first["Option1 Name"], first["Option1 Value"]) == ("Mug", "Size", "S")
    assert (second["Handle"], second["Title"], second["Option1 Name"], second["Option1 Value"]) == ("mug", "", "", "M")


def test_a_variant_without_a_choice_is_written_as_shopify_does(import_rows: Import) -> None:
    import_rows(mug())

    (row,) = rows_of(export())

    assert (row["Option1 Name"], row["Option1 Value"]) == ("Title", "Default Title")


def test_pictures_beyond_the_variants_get_rows_of_their_own(import_rows: Import) -> None:
    import_rows(mug(Image_Src="/1.jpg"), {"Handle": "mug", "Image Src": "/2.jpg"})

    first, second = rows_of(export())

    assert (first["Image Src"], second["Image Src"], second["Image Position"]) == ("/1.jpg", "/2.jpg", "2")
    assert (second["Variant SKU"], second["Variant Price"]) == ("", "")


def test_quantities_are_those_handed_in_and_empty_where_nobody_knows(import_rows: Import) -> None:
    import_rows(mug(Option1_Name="Size", Option1_Value="S"), sized("M", "MUG-M"))

    rows = rows_of(export(lambda skus: {"MUG": 12}))

    assert [row["Variant Inventory Qty"] for row in rows] == ["12", ""]


def test_a_big_catalogue_is_written_by_slices(import_rows: Import, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "PRODUCTS_AT_ONCE", 2)
    import_rows(*(mug(Handle=f"mug-{number}", Variant_SKU=f"M{number}") for number in range(5)))

    rows = rows_of(export())

    assert [row["Handle"] for row in rows] == [f"mug-{number}" for number in range(5)]
