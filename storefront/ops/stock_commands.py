"""`flask stock …`: show, receive, adjust, count, limit, verify, rebuild."""

import json
from dataclasses import asdict
from functools import partial
from typing import Any

import click
from flask.cli import AppGroup

from storefront.ops.commands import command, read_time
from storefront.stock import adjustments, levels, rebuild, verify

MOST_UNITS = 10_000_000

stock = AppGroup("stock", help="Look at the stock and change it.")
UNITS = click.IntRange(0, MOST_UNITS)
_command = partial(command, stock)


@_command("show")
@click.argument("skus", nargs=-1, metavar="[SKU]…")
def show(room: Any, skus: tuple[str, ...], as_json: bool) -> None:
    """Show where the units of each SKU are."""
    for sku in skus:
        room.require_sku(sku)
    _print_accounts(levels.accounts(room, skus), as_json)


def _print_accounts(accounts: list[levels.Account], as_json: bool) -> None:
    rows = [asdict(account) for account in accounts]
    if as_json:
        click.echo(json.dumps({"stock": rows}))
        return
    names = ("sku", "on_hand", "available", "reserved", "committed", "unavailable")
    width = max([len(row["sku"]) for row in rows] + [3])
    click.echo("  ".join([names[0].ljust(width), *(name.rjust(11) for name in names[1:])]))
    for row in rows:
        cells = ("?" if row[name] is None else str(row[name]) for name in names[1:])
        click.echo("  ".join([row["sku"].ljust(width), *(cell.rjust(11) for cell in cells)]))


@_command("receive")
@click.argument("sku")
@click.argument("units", type=click.IntRange(1, MOST_UNITS))
@click.option("--reason", required=True, help="Why, for the ledger.")
def receive(room: Any, sku: str, units: int, reason: str, as_json: bool) -> None:
    """Add units that have arrived."""
    adjustments.receive(room, sku, units, reason)
    _print_accounts(levels.accounts(room, [sku]), as_json)


@_command("adjust", ignore_unknown_options=True)  # -3 is a number here, not an option
@click.argument("sku")
@click.argument("delta", type=click.IntRange(-MOST_UNITS, MOST_UNITS))
@click.option("--reason", required=True, help="Why, for the ledger.")
@click.option("--force", is_flag=True, help="The units are gone in any case; what was promised becomes a shortfall.")
def adjust(room: Any, sku: str, delta: int, reason: str, force: bool, as_json: bool) -> None:
    """Change on hand by DELTA units (-3 or 3). Units that are promised are not taken away unless forced."""
    adjustments.adjust(room, sku, delta, reason, force=force)
    _print_accounts(levels.accounts(room, [sku]), as_json)


@_command("count")
@click.argument("sku")
@click.argument("units", type=UNITS)
@click.option("--as-of", "as_of", required=True, help="When it was counted, ISO 8601; later movements stay on top.")
def count(room: Any, sku: str, units: int, as_of: str, as_json: bool) -> None:
    """Take a physical count."""
    adjustments.count(room, sku, units, read_time(room, as_of))
    _print_accounts(levels.accounts(room, [sku]), as_json)


@_command("limit")
@click.argument("sku")
@click.argument("units", type=click.IntRange(0, MOST_UNITS))
def limit(room: Any, sku: str, units: int, as_json: bool) -> None:
    """Let each shopper have at most UNITS of a SKU, held and ordered; 0 lifts the limit."""
    adjustments.set_limit(room, sku, units or None)
    _print_accounts(levels.accounts(room, [sku]), as_json)


@_command("verify")
@click.option("--patience", default=20.0, show_default=True, help="Seconds to wait for work in flight.")
def verify_all(room: Any, patience: float, as_json: bool) -> None:
    """Prove that the numbers in Redis follow from SQL; exit 1 and name each SKU where they do not."""
    drifts = verify.verify(room, patience)
    if as_json:
        click.echo(json.dumps({"ok": not drifts, "drift": [asdict(drift) for drift in drifts]}))
    for drift in () if as_json else drifts:
        click.echo(f"{drift.sku}: {drift.what}: expected {drift.expected}, found {drift.found}")
    if drifts:
        raise SystemExit(1)
    if not as_json:
        click.echo("Stock is true: Redis and SQL agree on every SKU.")


@_command("rebuild")
@click.option("--if-closed", is_flag=True, help="Only where the numbers in Redis cannot be trusted.")
def rebuild_all(room: Any, if_closed: bool, as_json: bool) -> None:
    """Make the numbers in Redis anew from SQL."""
    epoch = rebuild.rebuild_if_closed(room) if if_closed else rebuild.rebuild(room)
    if as_json:
        click.echo(json.dumps({"rebuilt": epoch is not None, "epoch": epoch}))
    else:
        click.echo("The gate is open, nothing to do." if epoch is None else f"Rebuilt, epoch {epoch}.")
