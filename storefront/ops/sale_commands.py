"""`flask sale …`: create, list, show, open, pause, resume, drain, close, say, pace."""

import getpass
import json
from collections.abc import Sequence
from functools import partial
from typing import Any

import click
from flask.cli import AppGroup

from storefront.ops.commands import command, read_time
from storefront.ops.sale_facts import everything_of, facts_of
from storefront.stock.stockroom import Stockroom
from storefront.waiting_room import sales
from storefront.waiting_room.models import Sale
from storefront.waiting_room.sales import NewSale

WHAT_VERBS_DO = {
    "open": "Let people in from now on, whatever the hour.",
    "pause": "Let nobody in for now; everybody keeps his place.",
    "resume": "Let people in again.",
    "drain": "Let in those who wait, and take nobody new.",
    "close": "End a sale for good; its SKUs can be had by everybody again.",
}

sale = AppGroup("sale", help="Sales with a waiting room.")
_command = partial(command, sale)


def who() -> str:
    """Whose doing it is, for the audit."""
    try:
        return f"{getpass.getuser()[:80]}, command line"
    except (OSError, KeyError):  # a process without a name in the user database
        return "command line"


@_command("create")
@click.argument("slug")
@click.argument("more_skus", nargs=-1, metavar="")  # so that --sku takes several, as in `--sku A B C`
@click.option("--sku", "skus", multiple=True, required=True, metavar="SKU…", help="What is sold; one or more.")
@click.option("--opens", required=True, metavar="TIME", help="ISO 8601 such as 2026-11-27T09:00:00+01:00, or now.")
@click.option("--rate", type=float, required=True, help="How many people are let in per second, at most.")
@click.option("--active", type=int, required=True, help="How many may be in at a time.")
@click.option("--limit", type=int, required=True, help="Units per shopper, over all SKUs of the sale.")
@click.option("--title", default="", help="What people read; the slug in words where none is given.")
@click.option("--lobby", type=int, default=0, metavar="MINUTES", help="So long before it opens people may join.")
@click.option("--shuffle", is_flag=True, help="Draw the places of the lobby by lot.")
@click.option("--pass-seconds", type=int, default=300, show_default=True, help="How long somebody who was let in has.")
@click.option("--grace-seconds", type=int, default=60, show_default=True, help="How long he has to show up.")
@click.option("--one-per-email", is_flag=True, help="Ask for an e-mail address: one place for each.")
def create(
    room: Stockroom, slug: str, more_skus: Sequence[str], skus: Sequence[str], opens: str, active: int, limit: int,
    lobby: int, as_json: bool, **more: Any,
) -> None:  # fmt: skip
    """Announce the sale SLUG: from now on its SKUs can be had through its waiting room only."""
    new = NewSale(
        slug=slug,
        skus=(*skus, *more_skus),
        opens_at_ms=read_time(room, opens),
        active_most=active,
        limit_units=limit,
        lobby_seconds=lobby * 60,
        **more,
    )
    _print(sales.create(room, new, who()), as_json)


@_command("list")
def list_all(room: Stockroom, as_json: bool) -> None:
    """List every sale, the newest first."""
    found = [facts_of(one) for one in sales.all_sales(room)]
    if as_json:
        click.echo(json.dumps({"sales": found}))
    for one in () if as_json else found:
        click.echo(f"{one['slug']}: {one['state']}, opens {one['opens_at']}, {', '.join(one['skus'])}")


@_command("show")
@click.argument("slug")
def show(room: Stockroom, slug: str, as_json: bool) -> None:
    """Show a sale: what was decided, how its queue stands, and the fairness report."""
    found = everything_of(room, sales.find(room, slug))
    if as_json:
        click.echo(json.dumps({"sale": found}))
        return
    queue, report = found.pop("queue"), found.pop("report")
    for heading, part in (("", found), ("queue", queue or {"state": "is being checked"}), ("report", report)):
        click.echo(f"\n{heading}" if heading else found["title"])
        for name, value in part.items():
            click.echo(f"  {name.replace('_', ' ')}: {_in_words(value)}")


def _in_words(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value in (None, "") else str(value)


def _add_verb(verb: str, help: str) -> None:
    def change(room: Stockroom, slug: str, as_json: bool) -> None:
        _print(sales.change_state(room, slug, verb, who()), as_json)

    change.__doc__ = help
    _command(verb)(click.argument("slug")(change))


for _verb, _help in WHAT_VERBS_DO.items():
    _add_verb(_verb, _help)


@_command("say")
@click.argument("slug")
@click.argument("text")
def say(room: Stockroom, slug: str, text: str, as_json: bool) -> None:
    """Show TEXT to everybody who waits; an empty one takes it back."""
    _print(sales.say(room, slug, text, who()), as_json)


@_command("pace")
@click.argument("slug")
@click.option("--rate", type=float, help="How many people are let in per second, at most.")
@click.option("--active", type=int, help="How many may be in at a time.")
def pace(room: Stockroom, slug: str, rate: float | None, active: int | None, as_json: bool) -> None:
    """Change how many are let in; what is not given stays."""
    if rate is None and active is None:
        raise click.UsageError("Give --rate, --active or both.")
    now = sales.find(room, slug)
    changed = sales.set_pace(
        room,
        slug,
        who(),
        rate=now.rate if rate is None else rate,
        active_most=now.active_most if active is None else active,
    )
    _print(changed, as_json)


def _print(changed: Sale, as_json: bool) -> None:
    facts = facts_of(changed)
    if as_json:
        click.echo(json.dumps({"sale": facts}))
        return
    click.echo(
        f"{facts['slug']} is {facts['state']}, opens {facts['opens_at']};"
        f" {facts['rate']:g} per second, {facts['active_most']} at a time, {facts['limit']} per shopper."
    )
