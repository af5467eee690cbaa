"""The commands `flask catalog import`, `flask catalog export` and `flask demo load`."""

import json
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, TextIO

import click
from flask import current_app
from flask.cli import AppGroup
from sqlalchemy import select
from sqlalchemy.orm import Session

from storefront.catalog.exporting import export_products
from storefront.catalog.findings import Finding, Findings, UnusableFile
from storefront.catalog.importing import Imported, import_products
from storefront.catalog.models import Product
from storefront.catalog.shopify_csv import ParsedProduct, read_products
from storefront.core.db import db
from storefront.core.errors import Refusal

DEMO_FILE = Path(__file__).with_name("demo.csv")
WARNINGS_SHOWN = 20  # to people; --json has them all

catalog = AppGroup("catalog", help="Products in and out as Shopify product CSV.")
demo = AppGroup("demo", help="The demo catalogue.")
as_json = click.option("--json", "json_wanted", is_flag=True, help="Print JSON.")


@catalog.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Check the file and report, but write nothing.")
@click.option("--set-stock", is_flag=True, help="Set the stock of SKUs that exist to the file's quantities as well.")
@as_json
def import_command(file: Path, dry_run: bool, set_stock: bool, json_wanted: bool) -> None:
    """Create and update products from FILE, a product CSV as Shopify exports it.

    Nothing is deleted. Exits with 1 if rows were refused (the others are in), with 2 if the file is unusable.
    """
    done = _import(file, json_wanted, dry_run=dry_run, set_stock=set_stock)
    _tell(done, json_wanted)
    sys.exit(1 if done.findings.refused_lines else 0)


@catalog.command("export")
@click.argument("file", type=click.Path(path_type=Path))
@as_json
def export_command(file: Path, json_wanted: bool) -> None:
    """Write all products to FILE, with the shop's stock; a file that is there is replaced."""
    units_of: Callable[[list[str]], dict[str, int]] | None = current_app.extensions.get("units_of")
    if units_of is None:
        _fail("The stock of this shop cannot be asked.", 1, json_wanted)
    try:
        count = _replace(file, lambda opened: _export(opened, units_of))
    except OSError as error:
        _fail(f"{file} cannot be written: {_reason(error)}", 2, json_wanted)
    except Refusal as refusal:
        _fail(f"Nothing was exported: {refusal}", 1, json_wanted)
    _say({"file": str(file), "products": count}, f"{count} products are in {file}.", json_wanted)


@demo.command("load")
@click.option(
    "--if-empty/--force", default=True, help="Load it only into a shop without products (default), or always."
)
@as_json
def load_command(if_empty: bool, json_wanted: bool) -> None:
    """Import the demo catalogue that comes with the shop."""
    with Session(db.engine) as session:
        has_products = session.scalar(select(Product.id).limit(1)) is not None
    if if_empty and has_products:
        _say({"loaded": False}, "The shop has products already; nothing was loaded.", json_wanted)
        return
    _tell(_import(DEMO_FILE, json_wanted), json_wanted)


def _import(file: Path, json_wanted: bool, *, dry_run: bool = False, set_stock: bool = False) -> Imported:
    """Import `file`; where it cannot be imported, say why and exit."""
    findings = Findings()
    try:
        products = read_products(file.read_bytes(), findings)
        with _progress(file, products) as bar:
            return import_products(
                db.engine, products, findings, dry_run=dry_run, set_stock=set_stock, advance=bar.update
            )  # fmt: skip
    except (OSError, UnusableFile) as error:
        _fail(f"{file} cannot be imported: {_reason(error)}", 2, json_wanted)
    except Refusal as refusal:
        _fail(
            f"The import stopped: {refusal} What came before is in; run it again when this is settled.", 1, json_wanted
        )


def _progress(file: Path, products: list[ParsedProduct]) -> Any:
    """A progress bar over the rows, on a terminal only."""
    rows = sum(len(parsed.lines) for parsed in products)
    hidden = not sys.stderr.isatty()
    return click.progressbar(length=rows, label=f"Importing {file.name}", file=sys.stderr, hidden=hidden)


def _export(file: TextIO, units_of: Callable[[list[str]], dict[str, int]]) -> int:
    with Session(db.engine) as session:
        return export_products(file, session, units_of)


def _replace(path: Path, write: Callable[[TextIO], int]) -> int:
    """Write a file beside `path` and put it in its place when it is whole."""
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(handle, "w", encoding="utf-8", newline="") as file:
            count = write(file)
        os.chmod(draft, 0o644)  # mkstemp's 600 would hide it from the next tool
        os.replace(draft, path)
    except BaseException:
        os.unlink(draft)
        raise
    return count


def _tell(done: Imported, json_wanted: bool) -> None:
    if json_wanted:
        click.echo(json.dumps(_as_json(done), ensure_ascii=False))
        return
    for error in sorted(done.findings.errors):
        click.echo(f"Refused: {error}", err=True)
    warnings = sorted(done.findings.warnings)
    for warning in warnings[:WARNINGS_SHOWN]:
        click.echo(f"Warning: {warning}", err=True)
    if len(warnings) > WARNINGS_SHOWN:
        click.echo(f"{len(warnings) - WARNINGS_SHOWN} further warnings; --json shows them all.", err=True)
    click.echo(_summary(done))


def _summary(done: Imported) -> str:
    what = "A dry run, nothing was written. It would be" if done.dry_run else "Imported"
    products, variants = (
        f"{tally.new} new, {tally.changed} changed, {tally.same} unchanged" for tally in (done.products, done.variants)
    )
    rows = len(done.findings.refused_lines)
    refused = f" {rows} row{'s' if rows != 1 else ''} refused." if rows else ""
    return f"{what}: products: {products}; variants: {variants}.{refused}"


def _as_json(done: Imported) -> dict[str, Any]:
    return {
        "dry_run": done.dry_run,
        "products": vars(done.products),
        "variants": vars(done.variants),
        "rows_refused": len(done.findings.refused_lines),
        "errors": [_finding_as_json(finding) for finding in sorted(done.findings.errors)],
        "warnings": [_finding_as_json(finding) for finding in sorted(done.findings.warnings)],
    }


def _finding_as_json(finding: Finding) -> dict[str, Any]:
    return {name: value for name, value in vars(finding).items() if value != ""}


def _reason(error: Exception) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)


def _say(facts: dict[str, Any], sentence: str, json_wanted: bool) -> None:
    click.echo(json.dumps(facts, ensure_ascii=False) if json_wanted else sentence)


def _fail(message: str, code: int, json_wanted: bool) -> NoReturn:
    if json_wanted:
        click.echo(json.dumps({"error": message}, ensure_ascii=False))
    click.echo(message, err=True)
    sys.exit(code)
