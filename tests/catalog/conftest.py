"""A shop that has a catalogue and nothing else, and files to import into it."""

import csv
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from blinker import Signal
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event

import storefront
from storefront import catalog
from storefront.catalog import events
from storefront.catalog.findings import Findings
from storefront.catalog.importing import Imported, import_products
from storefront.catalog.models import Image, Product, Variant
from storefront.catalog.shopify_csv import read_products
from storefront.core import db, errors
from storefront.core.config import normalize_database_url

DATA = Path(__file__).with_name("data")

Import = Callable[..., Imported]


@pytest.fixture
def catalog_app(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flask]:
    """A fresh shop without products, inside an app context; nobody but the test hears its signals."""
    monkeypatch.setattr(events, "variants_imported", Signal())
    app = Flask(storefront.__name__)
    app.extensions["units_of"] = lambda skus: {sku: 7 for sku in skus}
    app.jinja_env.globals.update(
        shop_name="Test shop", levels_of=lambda skus: {}, held_by_me=lambda skus: {}, new_click_id=lambda: "click",
        sale_gates=lambda skus: {}, sales_on_show=list,
    )  # fmt: skip
    app.add_template_filter(lambda amount: f"€{amount:.2f}", "money")
    app.secret_key = "test"
    db.init_app(app, normalize_database_url(database_url))
    errors.init_app(app)
    catalog.init_app(app)
    with app.app_context():
        yield app
        db.db.engine.dispose()


@pytest.fixture
def visitor(catalog_app: Flask) -> FlaskClient:
    return catalog_app.test_client()


@pytest.fixture
def told(catalog_app: Flask) -> list[dict[str, Any]]:
    """What `variants_imported` said, in order."""
    heard: list[dict[str, Any]] = []

    def listen(_sender: object, **said: Any) -> None:
        heard.append(said)

    events.variants_imported.connect(listen, weak=False)
    return heard


@pytest.fixture
def queries(catalog_app: Flask) -> Iterator[list[str]]:
    """The SQL that is sent, as it is sent."""
    sent: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        sent.append(statement)

    event.listen(db.db.engine, "before_cursor_execute", note)
    yield sent
    event.remove(db.db.engine, "before_cursor_execute", note)


@pytest.fixture
def import_rows(catalog_app: Flask) -> Import:
    """Import rows given as dicts by column: `import_rows({"Handle": "mug", …}, …)`."""

    def import_them(*rows: dict[str, str], **how: Any) -> Imported:
        return import_file(as_csv(*rows), **how)

    return import_them


def import_file(data: bytes, **how: Any) -> Imported:
    """Import a file into the current shop."""
    findings = Findings()
    return import_products(db.db.engine, read_products(data, findings), findings, **how)


def as_csv(*rows: dict[str, str]) -> bytes:
    """A file with these rows and no column that none of them has."""
    columns = dict.fromkeys(["Handle", "Title", "Variant Price", *(name for row in rows for name in row)])
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, list(columns), restval="")
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue().encode()


def mug(**cells: str) -> dict[str, str]:
    """The first row of a product; keywords for columns are written with _ for the space."""
    row = {"Handle": "mug", "Title": "Mug", "Variant SKU": "MUG", "Variant Price": "18.50"}
    return row | {name.replace("_", " "): value for name, value in cells.items()}


def sized(size: str, sku: str = "", **cells: str) -> dict[str, str]:
    """A further row of the product `mug`, of this size."""
    row = {"Handle": "mug", "Option1 Value": size, "Variant SKU": sku, "Variant Price": "18.50"}
    return row | {name.replace("_", " "): value for name, value in cells.items()}


def everything() -> list[dict[str, Any]]:
    """All that the current shop's catalogue has, without ids, to be compared."""
    db.db.session.rollback()
    db.db.session.expire_all()
    products = db.db.session.scalars(db.db.select(Product).order_by(Product.id))
    return [
        {
            **_columns(product, Product),
            "images": [_columns(image, Image) for image in product.images],
            "variants": [_columns(variant, Variant) for variant in product.variants],
        }
        for product in products
    ]


def _columns(row: Any, model: Any) -> dict[str, Any]:
    names = [column.name for column in model.__table__.columns if column.name not in ("id", "product_id")]
    return {name: getattr(row, name) for name in names}


def skus() -> list[str]:
    """The SKUs of the current shop, product by product."""
    return [variant["sku"] for product in everything() for variant in product["variants"]]
