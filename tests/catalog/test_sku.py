"""Which SKUs are valid, and those that the shop makes."""

import pytest

from storefront.catalog.sku import LONGEST, free_sku, is_sku, plain_sku


@pytest.mark.parametrize("sku", ["A", "AB-12/3", "two words", "ÄRMEL", "x" * 64])
def test_printable_text_of_up_to_64_characters_is_a_sku(sku: str) -> None:
    assert is_sku(sku)


@pytest.mark.parametrize("sku", ["", " A", "A ", "{A", "A}", "A\n", "A\x00", "A\u200b", "x" * 65])
def test_anything_else_is_none(sku: str) -> None:
    assert not is_sku(sku)


@pytest.mark.parametrize(
    ("handle", "options", "sku"),
    [
        ("classic-varsity-top", ("Small", "", ""), "CLASSIC-VARSITY-TOP-SMALL"),
        ("ocean-blue-shirt", ("", "", ""), "OCEAN-BLUE-SHIRT"),
        ("tee", ("½ size", "Red/Blue", ""), "TEE-1-2-SIZE-RED-BLUE"),
        ("creme-brulee", ("Größe {M}",), "CREME-BRULEE-GRÖSSE-M"),
        ("café", ("Crème",), "CAFE-CREME"),
        ("茶", ("大",), "茶-大"),
        ("-", (), "SKU"),
        ("h" * 80, ("S",), "H" * 64),
    ],
)
def test_a_sku_is_made_of_handle_and_options(handle: str, options: tuple[str, ...], sku: str) -> None:
    made = plain_sku(handle, options)

    assert made == sku
    assert is_sku(made)


def test_a_sku_that_is_taken_gets_the_first_free_number() -> None:
    assert free_sku("TEE", {"TEE", "TEE-2"}.__contains__) == "TEE-3"


def test_the_number_fits_behind_a_long_sku() -> None:
    long = "T" * LONGEST

    assert free_sku(long, {long}.__contains__) == "T" * 62 + "-2"
