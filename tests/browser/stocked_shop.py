"""A running shop with plenty of products, so that each test can have some of its own."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import requests

from tests.running import RunningShop

PRODUCTS_BY_UNITS = {1: 8, 2: 6, 3: 40, 9: 6}  # on hand -> how many products
SIZES = ("Small", "Large")
BROKEN_IMAGE = "https://pictures.invalid/broken.jpg"


@dataclass(frozen=True)
class Item:
    """A product as a test knows it; `sku` is that of its first variant."""

    slug: str
    title: str
    sku: str
    skus: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        return f"/products/{self.slug}"


@dataclass
class Shelf:
    """Products by what they have on hand, each handed out once. counts: units on hand -> how many such products."""

    counts: Mapping[int, int]
    rows: list[dict[str, object]] = field(default_factory=list)
    untouched: dict[int, list[Item]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for units, count in self.counts.items():
            for number in range(1, count + 1):
                self._put(
                    Item(f"cup-{units}-{number:02d}", f"Cup {units}-{number:02d}", f"CUP-{units}-{number:02d}"), units
                )

    def _put(self, item: Item, units: int) -> None:
        self.rows.append(row_of(item, units))
        self.untouched.setdefault(units, []).append(item)

    def with_sizes(self, title: str, units: int) -> Item:
        """Add a product with the variants Small and Large and a picture that cannot be had."""
        slug = title.lower().replace(" ", "-")
        skus = tuple(f"{slug.upper()}-{size[0]}" for size in SIZES)
        for size, sku in zip(SIZES, skus, strict=True):
            more = {"Option1 Name": "Size", "Option1 Value": size, "Image Src": BROKEN_IMAGE, "Image Alt Text": title}
            self.rows.append(row_of(Item(slug, title, sku), units) | more)
        return Item(slug, title, skus[0], skus)

    def write(self, file: Path) -> Path:
        """Write the catalogue of this shelf as a product CSV."""
        columns = dict.fromkeys(name for row in self.rows for name in row)
        with file.open("w", newline="") as out:
            writer = csv.DictWriter(out, list(columns))
            writer.writeheader()
            writer.writerows(self.rows)
        return file


def row_of(item: Item, units: int) -> dict[str, object]:
    """A line of a Shopify product CSV."""
    return {
        "Handle": item.slug,
        "Title": item.title,
        "Published": "true",
        "Option1 Name": "Title",
        "Option1 Value": "Default Title",
        "Variant SKU": item.sku,
        "Variant Inventory Qty": units,
        "Variant Inventory Policy": "deny",
        "Variant Price": "12.50",
        "Image Src": "",
        "Image Alt Text": "",
    }


class StockedShop(RunningShop):
    """Web processes, worker and clock; `item(units)` gives a product that nobody else has."""

    def __init__(self, folder: Path, *, web: int = 2, counts: Mapping[int, int] = PRODUCTS_BY_UNITS, **environ: str):
        super().__init__(folder, web=web, **environ)
        self.shelf = Shelf(counts)
        self.sized = self.shelf.with_sizes("Copper Kettle", units=3)

    def __enter__(self) -> Self:
        super().__enter__()
        self.prepare("catalog", "import", str(self.shelf.write(self.folder / "catalogue.csv")))
        return self.start()

    def item(self, units: int) -> Item:
        """A product with `units` on hand and none held."""
        return self.shelf.untouched[units].pop()

    def level(self, sku: str) -> dict[str, Any]:
        """What the API says of `sku` now."""
        answer = requests.get(f"{self.url}/api/v1/stock", params={"sku": sku}, timeout=10)
        answer.raise_for_status()
        return answer.json()["stock"][0]

    def available(self, sku: str) -> int | None:
        return self.level(sku)["available"]
