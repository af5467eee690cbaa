"""Which variant a row means, and which SKU a new one gets."""

import pytest

from storefront.catalog import importing

from .conftest import Import, everything, mug, sized, skus

SMALL = {"Option1_Name": "Size", "Option1_Value": "S"}
CUP = {"Handle": "cup", "Title": "Cup", "Variant Price": "5"}


def errors_of(done: importing.Imported) -> list[str]:
    return [str(error) for error in sorted(done.findings.errors)]


def test_variants_without_a_sku_get_one_and_keep_it(import_rows: Import) -> None:
    rows = mug(**SMALL, Variant_SKU=""), sized("M"), sized("L")
    import_rows(*rows)

    done = import_rows(rows[0], rows[2] | {"Variant Price": "21"}, rows[1])

    assert skus() == ["MUG-S", "MUG-L", "MUG-M"]
    assert (done.variants.new, done.variants.changed, done.variants.same) == (0, 1, 2)


def test_made_skus_that_collide_are_numbered_in_the_order_of_the_file(import_rows: Import) -> None:
    rows = mug(Option1_Name="Size", Option1_Value="1 l", Variant_SKU=""), sized("1-L"), sized("1/l")
    import_rows(*rows)

    import_rows(rows[0], rows[2], rows[1])

    assert {it["option1"]: it["sku"] for it in everything()[0]["variants"]} == {
        "1 l": "MUG-1-L",
        "1-L": "MUG-1-L-2",
        "1/l": "MUG-1-L-3",
    }


def test_a_made_sku_makes_way_for_one_that_a_later_row_or_another_product_has(import_rows: Import) -> None:
    import_rows({"Handle": "box", "Title": "Box", "Variant Price": "5", "Variant SKU": "MUG-S"})

    import_rows(mug(**SMALL, Variant_SKU=""), sized("M"), {**CUP, "Variant SKU": "MUG-M"})

    assert skus() == ["MUG-S", "MUG-S-2", "MUG-M-2", "MUG-M"]


def test_a_made_sku_is_the_same_whether_the_products_come_in_one_transaction_or_in_many(
    import_rows: Import, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "ROWS_PER_TRANSACTION", 1)

    import_rows(CUP, {**CUP, "Handle": "Cup"})

    assert skus() == ["CUP", "CUP-2"]


@pytest.mark.parametrize("rows_per_transaction", [1, 500])
def test_a_sku_that_another_row_has_is_refused(
    import_rows: Import, monkeypatch: pytest.MonkeyPatch, rows_per_transaction: int
) -> None:
    monkeypatch.setattr(importing, "ROWS_PER_TRANSACTION", rows_per_transaction)

    done = import_rows(mug(**SMALL), sized("M", "MUG"), {**CUP, "Variant SKU": "MUG"})

    assert errors_of(done) == [
        "line 3, Variant SKU: 'MUG' is the SKU of line 2 already.",
        "line 4, Handle: the product 'cup' is skipped, its first row is refused.",
        "line 4, Variant SKU: 'MUG' is the SKU of line 2 already.",
    ]
    assert done.findings.refused_lines == {3, 4}
    assert skus() == ["MUG"]


def test_a_sku_of_another_product_of_the_shop_is_refused(import_rows: Import) -> None:
    import_rows(mug())

    done = import_rows({**CUP, "Variant SKU": "MUG"})

    assert "line 2, Variant SKU: 'MUG' belongs to the product 'mug'." in errors_of(done)
    assert skus() == ["MUG"]


def test_a_sku_never_changes(import_rows: Import) -> None:
    import_rows(mug(**SMALL), sized("M", "MUG-M"))

    done = import_rows(mug(**SMALL), sized("M", "MUG-MEDIUM"))

    assert errors_of(done) == [
        "line 3, Variant SKU: a variant with these options is sold as 'MUG-M' already; a SKU never changes."
    ]
    assert skus() == ["MUG", "MUG-M"]


def test_variants_may_swap_their_options(import_rows: Import) -> None:
    import_rows(mug(**SMALL), sized("M", "MUG-M"))

    done = import_rows(mug(Option1_Name="Size", Option1_Value="M"), sized("S", "MUG-M"))

    assert errors_of(done) == []
    assert [(it["sku"], it["option1"]) for it in everything()[0]["variants"]] == [("MUG", "M"), ("MUG-M", "S")]


def test_half_a_swap_is_refused_whole(import_rows: Import) -> None:
    import_rows(mug(**SMALL), sized("M", "MUG-M"), sized("L", "MUG-L"))
    before = everything()

    done = import_rows(mug(**SMALL), sized("L", "MUG-M"), sized("M", "MUG-L", Variant_Price="x"))

    assert done.findings.refused_lines == {3, 4}
    assert everything() == before


def test_one_bad_row_refuses_all_that_would_have_moved_up(import_rows: Import) -> None:
    import_rows(mug(**SMALL), sized("M", "MUG-M"), sized("L", "MUG-L"), sized("XL", "MUG-XL"))
    before = everything()

    done = import_rows(mug(**SMALL), sized("L", "MUG-M"), sized("XL", "MUG-L"), sized("M", "MUG-XL", Variant_Price=""))

    assert done.findings.refused_lines == {3, 4, 5}
    assert everything() == before


def test_options_that_a_named_variant_gives_up_are_free_for_a_new_one(import_rows: Import) -> None:
    import_rows(mug(**SMALL), sized("M", "MUG-M"))

    done = import_rows(mug(**SMALL), sized("L", "MUG-M"), sized("M"))

    assert errors_of(done) == []
    assert [(it["sku"], it["option1"]) for it in everything()[0]["variants"]] == [
        ("MUG", "S"),
        ("MUG-M", "L"),
        ("MUG-M-2", "M"),
    ]


def test_options_are_not_added_while_a_variant_of_the_shop_would_have_none(import_rows: Import) -> None:
    import_rows(mug())

    refused = import_rows(mug(**SMALL, Variant_SKU="MUG-S"))
    accepted = import_rows(mug(**SMALL, Variant_SKU="MUG-S"), sized("M", "MUG"))

    assert "line 2, Option1 Name: the number of options changes" in errors_of(refused)[1]
    assert errors_of(accepted) == []
    assert skus() == ["MUG-S", "MUG"]
