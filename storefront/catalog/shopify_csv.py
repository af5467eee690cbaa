"""The product CSV that Shopify shops export, read into products.

Rows with one Handle are one product. Its first row has the title and what else belongs to the
product; each row with an option value, a SKU or a price is a variant; each row with an Image Src
adds a picture. A column that the file lacks says nothing about what the shop has there already.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from storefront.catalog import csv_cells
from storefront.catalog.csv_table import Row, read_table
from storefront.catalog.findings import Findings

Fields = Mapping[str, tuple[str, Callable[[str], Any]]]

PRODUCT_FIELDS: Fields = {
    "Title": ("title", csv_cells.read_title),
    "Body (HTML)": ("body_html", csv_cells.read_html),
    "Vendor": ("vendor", csv_cells.read_line),
    "Type": ("type", csv_cells.read_line),
    "Tags": ("tags", csv_cells.read_tags),
    "Published": ("published", csv_cells.read_flag),
    "SEO Title": ("seo_title", csv_cells.read_text),
    "SEO Description": ("seo_description", csv_cells.read_text),
}
VARIANT_FIELDS: Fields = {
    "Variant Price": ("price", csv_cells.read_price),
    "Variant Compare At Price": ("compare_at_price", csv_cells.read_compare_price),
    "Variant Inventory Policy": ("inventory_policy", csv_cells.read_policy),
    "Variant Image": ("image_url", csv_cells.read_image_url),
    "Variant Grams": ("grams", csv_cells.read_grams),
    "Variant Weight Unit": ("weight_unit", csv_cells.read_weight_unit),
    "Variant Barcode": ("barcode", csv_cells.read_line),
    "Variant Taxable": ("taxable", csv_cells.read_flag),
    "Variant Requires Shipping": ("requires_shipping", csv_cells.read_flag),
}
IMAGE_FIELDS: Fields = {"Image Alt Text": ("alt", csv_cells.read_text)}
OPTIONS = tuple((f"Option{number} Name", f"Option{number} Value") for number in (1, 2, 3))
OPTION_COLUMNS = tuple(column for pair in OPTIONS for column in pair)
OTHER_COLUMNS = (
    "Handle", "Variant SKU", "Variant Inventory Qty", "Image Src", "Image Position", "Status",
)  # fmt: skip
COLUMNS = (*OTHER_COLUMNS, *OPTION_COLUMNS, *PRODUCT_FIELDS, *VARIANT_FIELDS, *IMAGE_FIELDS)
MANDATORY = ("Handle", "Title", "Variant Price")

NO_CHOICE = ("Title", "Default Title")  # what Shopify writes where a product has one variant and no options


@dataclass(frozen=True)
class ParsedVariant:
    """A variant's row; sku is "" where the file gives none, units None where it gives no quantity."""

    line: int
    sku: str
    options: tuple[str, ...]
    fields: dict[str, Any]
    units: int | None


@dataclass(frozen=True)
class ParsedImage:
    url: str
    fields: dict[str, Any]
    position: int | None


@dataclass(frozen=True)
class ParsedProduct:
    """A product whose first row is sound, with its sound rows; lines: of all its rows."""

    slug: str
    lines: tuple[int, ...]
    option_names: tuple[str, ...]
    fields: dict[str, Any]
    variants: tuple[ParsedVariant, ...]
    images: tuple[ParsedImage, ...]


def read_products(data: bytes, findings: Findings) -> list[ParsedProduct]:
    """Read a product file; what is wrong with single rows goes into `findings`. Raises UnusableFile."""
    columns, rows = read_table(data, COLUMNS, MANDATORY)
    products = []
    for slug, of_product in _group(rows, findings).items():
        product = _ProductReader(slug, of_product, columns, findings).read()
        if product:
            products.append(product)
        else:
            findings.refuse_product(slug, [row.line for row in of_product])
    return products


def _group(rows: list[Row], findings: Findings) -> dict[str, list[Row]]:
    """The rows of each handle, in the order of the file."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        if row.damage and "Handle" not in row.cells:
            findings.refuse(row.line, "Handle", row.damage)
            continue
        try:
            handle = csv_cells.read_handle(row.cells.get("Handle", ""))
        except csv_cells.BadCell as bad:
            findings.refuse(row.line, "Handle", row.damage or bad.reason, bad.allowed)
        else:
            groups.setdefault(handle, []).append(row)
    return groups


class _RowReader:
    """Takes values out of one row and refuses the row for each cell that cannot be taken."""

    def __init__(self, row: Row, columns: frozenset[str], findings: Findings):
        self.line = row.line
        self._cells = row.cells
        self._columns = columns
        self._findings = findings
        if row.damage:
            self.refuse("Handle", row.damage)

    @property
    def sound(self) -> bool:
        return self.line not in self._findings.refused_lines

    @property
    def is_variant(self) -> bool:
        return any(self.text(column) for column in ("Variant SKU", "Variant Price", *(value for _, value in OPTIONS)))

    def text(self, column: str) -> str:
        return self._cells.get(column, "").strip()

    def take(self, column: str, read: Callable[[str], Any]) -> Any:
        try:
            return read(self._cells.get(column, ""))
        except csv_cells.BadCell as bad:
            self.refuse(column, bad.reason, bad.allowed)
            return None

    def take_all(self, fields: Fields) -> dict[str, Any]:
        return {name: self.take(column, read) for column, (name, read) in fields.items() if column in self._columns}

    def refuse(self, column: str, reason: str, allowed: str = "") -> None:
        self._findings.refuse(self.line, column, reason, allowed)

    def warn(self, column: str, reason: str) -> None:
        self._findings.warn(self.line, column, reason)


class _ProductReader:
    """Reads the rows of one handle."""

    def __init__(self, slug: str, rows: list[Row], columns: frozenset[str], findings: Findings):
        self.slug = slug
        self.rows = [_RowReader(row, columns, findings) for row in rows]
        self.lines_by_options: dict[tuple[str, ...], int] = {}

    def read(self) -> ParsedProduct | None:
        """The product, or None where its first row is refused."""
        first = self.rows[0]
        fields = first.take_all(PRODUCT_FIELDS)
        if not first.take("Status", csv_cells.read_status):
            fields["published"] = False
        self.option_names = self._option_names(first)
        variants, images = [], []
        for row in self.rows:
            variant = self._variant(row) if row is first or row.is_variant else None
            image = self._image(row)
            if not first.sound:
                return None
            if row.sound:
                variants += [variant] if variant else []
                images += [image] if image else []
        lines = tuple(row.line for row in self.rows)
        return ParsedProduct(self.slug, lines, self.option_names, fields, tuple(variants), _each_once(images))

    def _option_names(self, first: _RowReader) -> tuple[str, ...]:
        names = [first.take(column, csv_cells.read_line) or "" for column, _ in OPTIONS]
        given = tuple(name for name in names if name)
        if list(given) != names[: len(given)]:
            first.refuse(OPTIONS[names.index("")][0], "is empty, though a later option has a name")
        if len({name.casefold() for name in given}) < len(given):
            first.refuse("Option2 Name", "two options have the same name")
        return () if given in ((), NO_CHOICE[:1]) and self._is_without_choice() else given

    def _is_without_choice(self) -> bool:
        values = {row.text(column) for row in self.rows for _, column in OPTIONS}
        return values <= {"", NO_CHOICE[1]}

    def _variant(self, row: _RowReader) -> ParsedVariant | None:
        sku = row.take("Variant SKU", csv_cells.read_sku)
        options = self._options(row)
        fields = row.take_all(VARIANT_FIELDS)
        units = self._units(row)
        if not row.sound:
            return None
        if options in self.lines_by_options:
            row.refuse("Option1 Value", f"the same options as in line {self.lines_by_options[options]}")
            return None
        self.lines_by_options[options] = row.line
        if fields.get("inventory_policy") == "continue":
            row.warn("Variant Inventory Policy", "'continue' is kept, but the shop never sells what is not there")
        return ParsedVariant(row.line, sku, options, fields, units)

    def _options(self, row: _RowReader) -> tuple[str, ...]:
        """The row's option values; the names come from the first row."""
        values = []
        for number, (name_column, column) in enumerate(OPTIONS):
            value = row.take(column, csv_cells.read_line) or ""
            name = self.option_names[number] if number < len(self.option_names) else ""
            if name and not value:
                row.refuse(column, "is empty", f"a value of the option {name!r}")
            no_choice = not self.option_names and value == NO_CHOICE[1]
            if value and not name and not no_choice:
                row.refuse(column, f"{value!r} stands here, but the product's first row has no {name_column}")
            if name and row.text(name_column).casefold() not in ("", name.casefold()):
                row.refuse(name_column, f"{row.text(name_column)!r} stands here, but {name!r} in the first row")
            values.append(value if name else "")
        return tuple(values)

    def _units(self, row: _RowReader) -> int | None:
        units = row.take("Variant Inventory Qty", csv_cells.read_units)
        if units is not None and units < 0:
            row.warn("Variant Inventory Qty", f"{units} counts as 0")
        return max(units, 0) if units is not None else None

    def _image(self, row: _RowReader) -> ParsedImage | None:
        url = row.take("Image Src", csv_cells.read_image_url)
        fields = row.take_all(IMAGE_FIELDS)
        position = row.take("Image Position", csv_cells.read_position)
        return ParsedImage(url, fields, position) if url and row.sound else None


def _each_once(images: list[ParsedImage]) -> tuple[ParsedImage, ...]:
    """The pictures in the order of their positions, each address once; without a position: as in the file."""
    by_url: dict[str, ParsedImage] = {}
    for image in images:
        by_url.setdefault(image.url, image)
    places = {image.url: place for place, image in enumerate(by_url.values(), start=1)}
    return tuple(sorted(by_url.values(), key=lambda image: (image.position or places[image.url], places[image.url])))
