"""What the commands print, and how they exit."""

import json
from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask

from storefront.catalog import events
from storefront.core.errors import Unavailable

from .conftest import as_csv, everything, mug, skus


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "products.csv"


def run(app: Flask, *arguments: object) -> Result:
    return app.test_cli_runner().invoke(args=[str(argument) for argument in arguments])


def test_an_import_says_what_it_did(catalog_app: Flask, file: Path) -> None:
    file.write_bytes(as_csv(mug()))

    result = run(catalog_app, "catalog", "import", file)

    assert result.exit_code == 0
    assert "products: 1 new, 0 changed, 0 unchanged; variants: 1 new" in result.stdout
    assert skus() == ["MUG"]


def test_an_import_with_a_bad_row_takes_the_good_ones_names_the_bad_and_exits_with_1(
    catalog_app: Flask, file: Path
) -> None:
    file.write_bytes(as_csv(mug(), mug(Handle="cup", Variant_SKU="CUP", Variant_Price="free")))

    result = run(catalog_app, "catalog", "import", file)

    assert result.exit_code == 1
    assert "Refused: line 3, Variant Price: 'free' is no price. Allowed: a number from 0" in result.stderr
    assert "Refused: line 3, Handle: the product 'cup' is skipped" in result.stderr
    assert "1 row refused" in result.stdout
    assert skus() == ["MUG"]


def test_an_import_prints_json_when_asked(catalog_app: Flask, file: Path) -> None:
    file.write_bytes(as_csv(mug(Variant_Inventory_Policy="continue"), mug(Handle="", Variant_SKU="X")))

    result = run(catalog_app, "catalog", "import", file, "--json")

    said = json.loads(result.stdout)
    assert result.exit_code == 1
    assert said["products"] == {"new": 1, "changed": 0, "same": 0}
    assert (said["rows_refused"], said["dry_run"]) == (1, False)
    assert [(it["line"], it["column"], it["reason"]) for it in said["errors"]] == [(3, "Handle", "is empty")]
    assert [(it["line"], it["column"]) for it in said["warnings"]] == [(2, "Variant Inventory Policy")]


def test_a_dry_run_says_so_and_writes_nothing(catalog_app: Flask, file: Path) -> None:
    file.write_bytes(as_csv(mug()))

    result = run(catalog_app, "catalog", "import", file, "--dry-run")

    assert result.exit_code == 0
    assert "nothing was written" in result.stdout
    assert everything() == []


def test_many_warnings_are_counted_not_all_shown(catalog_app: Flask, file: Path) -> None:
    rows = (mug(Handle=f"m{n}", Variant_SKU=f"M{n}", Variant_Inventory_Policy="continue") for n in range(25))
    file.write_bytes(as_csv(*rows))

    result = run(catalog_app, "catalog", "import", file)

    assert result.stderr.count("Warning:") == 20
    assert "5 further warnings" in result.stderr


@pytest.mark.parametrize(
    ("data", "reason"),
    [(None, "No such file"), (b"Handle,Title\n", "no column Variant Price"), (b"\xff\xfeH\x00", "UTF-16")],
)
def test_an_unusable_file_is_refused_with_exit_2(
    catalog_app: Flask, file: Path, data: bytes | None, reason: str
) -> None:
    if data is not None:
        file.write_bytes(data)

    result = run(catalog_app, "catalog", "import", file, "--json")

    assert result.exit_code == 2
    assert reason in result.stderr
    assert reason in json.loads(result.stdout)["error"]


def test_an_import_that_the_stock_refuses_says_why_and_exits_with_1(catalog_app: Flask, file: Path) -> None:
    def refuse(_: object, **said: object) -> None:
        raise Unavailable("The stock counter does not answer.")

    events.variants_imported.connect(refuse, weak=False)
    file.write_bytes(as_csv(mug()))

    result = run(catalog_app, "catalog", "import", file)

    assert result.exit_code == 1
    assert "The stock counter does not answer." in result.stderr
    assert everything() == []


def test_an_export_writes_the_units_of_the_shop(catalog_app: Flask, file: Path) -> None:
    file.write_bytes(as_csv(mug()))
    run(catalog_app, "catalog", "import", file)

    result = run(catalog_app, "catalog", "export", file, "--json")

    assert result.exit_code == 0
    assert json.loads(result.stdout) == {"file": str(file), "products": 1}
    assert ",MUG,0,shopify,7,deny," in file.read_text()
    assert [path.name for path in file.parent.glob("*products*")] == ["products.csv"]


def test_an_export_that_fails_leaves_the_old_file(catalog_app: Flask, file: Path) -> None:
    def fail(skus: list[str]) -> dict[str, int]:
        raise OSError("no stock today")

    file.write_bytes(as_csv(mug()))
    before = file.read_bytes()
    run(catalog_app, "catalog", "import", file)
    catalog_app.extensions["units_of"] = fail

    result = run(catalog_app, "catalog", "export", file)

    assert result.exit_code == 2
    assert file.read_bytes() == before
    assert [path.name for path in file.parent.glob("*products*")] == ["products.csv"]


def test_an_export_to_nowhere_exits_with_2(catalog_app: Flask, tmp_path: Path) -> None:
    result = run(catalog_app, "catalog", "export", tmp_path / "missing" / "products.csv")

    assert result.exit_code == 2
    assert "No such file" in result.stderr


def test_the_demo_is_twelve_products_whose_pictures_are_there(catalog_app: Flask) -> None:
    result = run(catalog_app, "demo", "load", "--json")

    products = everything()
    static = Path(catalog_app.root_path)
    assert result.exit_code == 0
    assert len(products) == 12
    assert json.loads(result.stdout)["warnings"] == []
    assert all((static / product["images"][0]["url"].removeprefix("/")).is_file() for product in products)


def test_the_demo_is_not_loaded_into_a_shop_with_products_unless_forced(catalog_app: Flask, file: Path) -> None:
    file.write_bytes(as_csv(mug()))
    run(catalog_app, "catalog", "import", file)

    left = run(catalog_app, "demo", "load", "--if-empty")
    assert (left.exit_code, len(everything())) == (0, 1)

    forced = run(catalog_app, "demo", "load", "--force")
    assert (forced.exit_code, len(everything())) == (0, 13)
