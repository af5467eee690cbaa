"""What a product file says, and what is said about one that cannot be read."""

from decimal import Decimal

import pytest

from storefront.catalog.findings import Findings, UnusableFile
from storefront.catalog.shopify_csv import ParsedProduct, read_products

from .conftest import DATA, as_csv, mug, sized

TEAS = (DATA / "teas.csv").read_bytes()


def read(data: bytes) -> tuple[list[ParsedProduct], list[str]]:
    findings = Findings()
    products = read_products(data, findings)
    return products, [str(error) for error in sorted(findings.errors)]


def errors_of(*rows: dict[str, str]) -> list[str]:
    return read(as_csv(*rows))[1]


def test_rows_with_one_handle_are_one_product_whose_options_are_named_in_its_first_row() -> None:
    (tea, pot), errors = read(TEAS)

    assert errors == []
    assert tea.option_names == ("Weight", "Grind")
    assert [row.options for row in tea.variants] == [
        ("100 g", "Leaf", ""),
        ("100 g", "Powder", ""),
        ("250 g", "Leaf", ""),
    ]
    assert pot.slug == "tea-pot"


def test_default_title_means_one_variant_without_a_choice() -> None:
    (_, pot), _ = read(TEAS)

    assert pot.option_names == ()
    assert [row.options for row in pot.variants] == [("", "", "")]


def test_a_row_with_nothing_but_a_picture_is_no_variant() -> None:
    (tea, _), _ = read(TEAS)

    assert len(tea.variants) == 3
    assert [image.url.rpartition("/")[2] for image in tea.images] == ["green.jpg", "green-2.jpg", "green-3.jpg"]
    assert tea.images[2].fields == {"alt": "Leaves in a cup"}


def test_pictures_come_in_the_order_of_their_positions_and_each_address_once() -> None:
    one, two = "https://images.example/1.jpg", "https://images.example/2.jpg"

    (product,), _ = read(
        as_csv(
            mug(Image_Src=two, Image_Position="2"),
            mug(Variant_SKU="", Variant_Price="", Image_Src=one, Image_Position="1"),
            mug(Variant_SKU="", Variant_Price="", Image_Src=two, Image_Position="3"),
        )
    )

    assert [image.url for image in product.images] == [one, two]


def test_html_is_sanitised_and_text_keeps_its_quotes_and_line_ends() -> None:
    (tea, _), _ = read(TEAS)

    assert tea.fields["body_html"] == '<p>Steamed, not "roasted".</p>\n<p>Keeps for a year.</p>'


def test_tags_are_told_apart_by_commas_and_each_kept_once() -> None:
    (tea, _), _ = read(TEAS)

    assert tea.fields["tags"] == ["tea", "green"]


def test_prices_are_decimals_with_two_places() -> None:
    (tea, _), _ = read(TEAS)

    assert [str(row.fields["price"]) for row in tea.variants] == ["6.50", "7.00", "14.00"]
    assert tea.variants[0].fields["compare_at_price"] == Decimal("8.00")
    assert tea.variants[1].fields["compare_at_price"] is None


def test_units_below_zero_count_as_zero_with_a_warning_and_an_empty_cell_says_nothing() -> None:
    findings = Findings()

    tea, _ = read_products(TEAS, findings)

    assert [row.units for row in tea.variants] == [12, 0, None]
    assert "line 4, Variant Inventory Qty: -3 counts as 0." in map(str, findings.warnings)


def test_the_policy_continue_is_kept_with_a_warning() -> None:
    findings = Findings()

    tea, _ = read_products(TEAS, findings)

    assert [row.fields["inventory_policy"] for row in tea.variants] == ["deny", "continue", "deny"]
    assert [(it.line, it.column) for it in findings.warnings if "continue" in it.reason] == [
        (4, "Variant Inventory Policy")
    ]


@pytest.mark.parametrize(("status", "published"), [("active", True), ("draft", False), ("archived", False)])
def test_a_product_that_is_not_active_is_not_published(status: str, published: bool) -> None:
    (product,), _ = read(as_csv(mug(Published="true", Status=status)))

    assert product.fields["published"] is published


def test_a_byte_order_mark_and_any_line_ends_are_read() -> None:
    plain = as_csv(mug(), mug(Handle="cup", Variant_SKU="CUP"))
    as_lf, as_cr = plain.replace(b"\r\n", b"\n"), plain.replace(b"\r\n", b"\r")

    results = [read(data) for data in (plain, b"\xef\xbb\xbf" + plain, as_lf, as_cr)]

    assert all(result == results[0] for result in results)
    assert [product.slug for product in results[0][0]] == ["mug", "cup"]


def test_columns_are_found_in_any_case_and_place_and_unknown_ones_do_no_harm() -> None:
    (product,), errors = read(b"variant price,Metafield: x,TITLE,Handle\n5,what,Mug,mug\n")

    assert errors == []
    assert product.fields["title"] == "Mug"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "line 1: there is no column Handle, Title, Variant Price."),
        (b"Handle,Variant Price\nmug,5\n", "line 1: there is no column Title."),
        (b"Handle;Title;Variant Price\nmug;Mug;5\n", "have to be separated by commas"),
        (b"Handle,Title,Variant Price,Title\nmug,Mug,5,Cup\n", "more than one column Title"),
        (b"Handle,Title,Variant Price\nmug,M\xfcg,5\n", "line 2, byte 6 of that line (0xFC): not UTF-8"),
        (as_csv(mug()).decode().encode("utf-16"), "this is UTF-16"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_as_a_whole(data: bytes, reason: str) -> None:
    with pytest.raises(UnusableFile) as refusal:
        read(data)

    assert reason in str(refusal.value)


@pytest.mark.parametrize(
    ("column", "value", "allowed"),
    [
        ("Variant Price", "5o", "at most 2 decimals"),
        ("Variant Price", "-1", "from 0"),
        ("Variant Price", "1.999", "at most 2 decimals"),
        ("Variant Price", "1,299.00", "with a point"),
        ("Variant Price", "NaN", "a number"),
        ("Variant Price", "10000000000", "9999999999.99"),
        ("Variant Price", "", "a number"),
        ("Variant Compare At Price", "free", "a number"),
        ("Variant Inventory Qty", "1.5", "a whole number"),
        ("Variant Inventory Qty", "9999999999", "1000000000"),
        ("Variant Inventory Policy", "allow", "deny or continue"),
        ("Variant SKU", " MUG", "without a space at either end"),
        ("Variant SKU", "{MUG}", "without { }"),
        ("Variant SKU", "MU\tG", "printable"),
        ("Variant SKU", "M" * 65, "1 to 64"),
        ("Variant Taxable", "maybe", "true or false"),
        ("Variant Grams", "heavy", "a whole number"),
        ("Variant Weight Unit", "stone", "kg"),
        ("Image Src", "javascript:alert(1)", "https://"),
        ("Image Src", "//images.example/1.jpg", "https://"),
        ("Image Position", "first", "a whole number"),
        ("Title", "", "1 to 255 characters"),
        ("Vendor", "V" * 256, "up to 255 characters"),
        ("Published", "yes", "true or false"),
        ("Status", "sold", "active"),
    ],
)
def test_a_bad_cell_is_named_with_line_column_reason_and_what_is_allowed(column: str, value: str, allowed: str) -> None:
    error, skipped = errors_of(mug(**{column: value}))

    assert error.startswith(f"line 2, {column}: ") or skipped.startswith(f"line 2, {column}: ")
    assert allowed in error + skipped


@pytest.mark.parametrize("handle", ["", "a b", "a/b", "a?b", "..", "a%b"])
def test_a_handle_that_is_no_address_is_refused(handle: str) -> None:
    (error,) = errors_of(mug(Handle=handle))

    assert error.startswith("line 2, Handle: ")


def test_every_bad_cell_of_a_row_is_named() -> None:
    errors = errors_of(mug(Option1_Name="Size", Option1_Value="S"), sized("M", Variant_Price="x", Variant_Grams="y"))

    assert [error.partition(":")[0] for error in errors] == ["line 3, Variant Grams", "line 3, Variant Price"]


def test_a_bad_row_is_left_out_and_the_good_ones_stay() -> None:
    (product,), errors = read(
        as_csv(mug(Option1_Name="Size", Option1_Value="S"), sized("M", Variant_Price="x"), sized("L"))
    )

    assert [row.options[0] for row in product.variants] == ["S", "L"]
    assert len(errors) == 1


def test_a_bad_picture_refuses_its_whole_row() -> None:
    (product,), _ = read(as_csv(mug(Option1_Name="Size", Option1_Value="S"), sized("M", Image_Src="ftp://x/1.jpg")))

    assert [row.options[0] for row in product.variants] == ["S"]
    assert product.images == ()


def test_a_product_whose_first_row_is_bad_is_skipped_as_a_whole_and_says_so() -> None:
    products, errors = read(
        as_csv(mug(Variant_Price="x", Option1_Name="Size", Option1_Value="S"), sized("M"), sized("L"))
    )

    assert products == []
    assert (
        "line 2, Handle: the product 'mug' is skipped, its first row is refused; "
        "with it go 2 further rows (lines 3 to 4)." in errors
    )


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (sized(""), "line 3, Option1 Value: is empty. Allowed: a value of the option 'Size'"),
        (sized("M", Option2_Value="Red"), "line 3, Option2 Value: 'Red' stands here, but"),
        (sized("M", Option1_Name="Colour"), "line 3, Option1 Name: 'Colour' stands here, but 'Size'"),
        (sized("S"), "line 3, Option1 Value: the same options as in line 2"),
    ],
)
def test_a_row_that_does_not_fit_the_options_of_its_product_is_refused(row: dict[str, str], reason: str) -> None:
    (error,) = errors_of(mug(Option1_Name="Size", Option1_Value="S"), row)

    assert error.startswith(reason)


def test_an_option_value_without_a_name_is_refused() -> None:
    error = errors_of(mug(Option1_Value="Small"))[1]

    assert error == "line 2, Option1 Value: 'Small' stands here, but the product's first row has no Option1 Name."


def test_a_row_with_more_cells_than_the_header_is_refused() -> None:
    products, errors = read(b"Handle,Title,Variant Price\nmug,Mug, with a handle,5\ncup,Cup,5,,\n")

    assert [product.slug for product in products] == ["cup"]
    assert "line 2, Handle: the row has 4 cells, the header has 3." in errors


def test_a_quote_that_is_never_closed_is_told_and_what_came_before_is_read() -> None:
    products, errors = read(b'Handle,Title,Variant Price\nmug,Mug,5\ncup,"Cup,5\njar,Jar,5\n')

    assert [product.slug for product in products] == ["mug"]
    assert errors == ["line 3, Handle: the row cannot be read: a quote is opened and never closed."]


def test_lines_are_counted_in_the_file_not_in_rows() -> None:
    data = b'Handle,Title,Variant Price\nmug,"Mug\nof\nclay",5\n\ncup,Cup,x\n'

    _, errors = read(data)

    assert errors[1].startswith("line 6, Variant Price: ")


def test_a_nul_character_is_refused() -> None:
    errors = errors_of(mug(Vendor="a\x00b"))

    assert "line 2, Handle: the row has a NUL character." in errors
