"""`flask erp …`: export, import, status, retry, reconcile."""

import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import click
from flask.cli import AppGroup

from storefront.core.tools import take
from storefront.erp import buffer, delivery, inbound
from storefront.erp.adapter import ErpError
from storefront.erp.adapters.filedrop.adapter import FileDrop
from storefront.erp.adapters.filedrop.elsewhere import Elsewhere
from storefront.erp.delivery import Delivered
from storefront.erp.exchange import Exchange
from storefront.erp.inbound import StockRead
from storefront.erp.reconcile import Difference, Report, reconcile
from storefront.ops import erp_facts, erp_report
from storefront.ops.commands import command
from storefront.stock.stockroom import Stockroom

TURN_SECONDS = 60.0
PATIENCE_SECONDS = 15.0  # with another process that talks to the ERP just now
PAUSE_SECONDS = 0.2
Done = TypeVar("Done", Delivered, StockRead)

erp = AppGroup("erp", help="The exchange with the ERP.")
_command = partial(command, erp)


@_command("export")
@click.option("--now", is_flag=True, help="Wait for nothing: not for more orders, nor for the next try of a batch.")
def export(room: Stockroom, now: bool, as_json: bool) -> None:
    """Send the ERP what is due, until nothing more is."""
    exchange, since_ms = take("exchange"), room.now_ms()
    dead_before = {row.id for row in buffer.dead_letters(room)}
    done = _deliver_all(exchange, now)
    dead = [erp_facts.letter_of(row) for row in buffer.dead_letters(room) if row.id not in dead_before]
    told = {
        "batches": erp_facts.sent_since(exchange, since_ms),
        "outcomes": dict(done.outcomes),
        "backlog": _counts(room),
        "dead_letters": dead,
        "error": done.error,
    }
    _print(told, as_json, _export_in_words)
    if done.busy:
        raise click.ClickException("another process is talking to the ERP")
    if done.error:
        raise click.ClickException(f"the ERP did not answer as agreed: {done.error}")
    if dead:
        raise click.ClickException(f"the ERP has refused: dead letters {', '.join(str(one['id']) for one in dead)}")


def _deliver_all(exchange: Exchange, now: bool) -> Delivered:
    """Turn after turn, for as long as each gets something done."""
    total: Counter[str] = Counter()
    while True:
        done = _patiently(lambda: delivery.deliver(exchange, now=now, seconds=TURN_SECONDS))
        total += done.outcomes
        if done.busy or done.error or not done.batches:
            return replace(done, outcomes=total)


def _patiently(step: Callable[[], Done]) -> Done:
    """Take a step at the link; wait for another process that is at it."""
    until = time.monotonic() + PATIENCE_SECONDS
    while (done := step()).busy and time.monotonic() < until:
        time.sleep(PAUSE_SECONDS)
    return done


def _counts(room: Stockroom) -> dict[str, int]:
    counts = asdict(buffer.backlog(room))
    return {name: counts[name] for name in counts if name != "oldest_unsent_ms"}


def _export_in_words(told: dict[str, Any]) -> None:
    for batch in told["batches"]:
        click.echo(
            f"batch {batch['sequence']}, {batch['documents']} {batch['kind']}, {batch['state']},"
            f" {batch['id']}: {'; '.join(batch['words']) or '-'}"
        )
    click.echo(f"Answers: {_in_words(told['outcomes'])}.")
    click.echo(f"Buffer: {_in_words(told['backlog'])}.")
    for letter in told["dead_letters"]:
        click.echo(f"Dead letter {letter['id']}, order {letter['number']}, {letter['kind']}: {letter['words']}")


def _in_words(counts: dict[str, int]) -> str:
    return ", ".join(f"{number} {name.replace('_', ' ')}" for name, number in counts.items()) or "none"


@_command("import")
@click.argument("path", type=click.Path(exists=True, path_type=Path), required=False)
@click.option("--accept-gap", is_flag=True, help="A snapshot is missing for good: go on with the next.")
def import_stock(room: Stockroom, path: Path | None, accept_gap: bool, as_json: bool) -> None:
    """Take in the ERP's stock figures.

    PATH: a stock file of the file drop that lies elsewhere, or a folder with some. Exits with 1 where something could
    not be taken in; what could is in.
    """
    exchange, since_ms = take("exchange"), room.now_ms()
    if path is not None:
        exchange = replace(exchange, adapter=_elsewhere(exchange, path))
    if exchange.adapter.capabilities.stock is None:
        raise click.ClickException(f"{exchange.name} gives no stock figures.")
    done = _read_all(exchange, accept_gap)
    problems = erp_facts.problems_since(exchange, since_ms)
    _print(
        {"snapshots": [asdict(one) for one in done.snapshots], "problems": problems, "error": done.error}
        | {"alarm": done.alarm},
        as_json,
        _import_in_words,
    )
    if done.busy:
        raise click.ClickException("another process is talking to the ERP")
    if done.error:
        raise click.ClickException(f"not taken in: {done.alarm or done.error}")
    _refuse_left_over(exchange)
    if problems:
        raise click.ClickException(f"{len(problems)} lines were not taken in; the others were")


def _elsewhere(exchange: Exchange, path: Path) -> Elsewhere:
    """The adapter that reads from `path`. Raises click.ClickException where there is nothing to read."""
    if not isinstance(exchange.adapter, FileDrop):
        raise click.ClickException(f"ERP_ADAPTER is {exchange.name}: only the file drop reads files. Leave PATH out.")
    found = Elsewhere(exchange.adapter, path)
    if not found.sequences():
        what = "has no stock file" if path.is_dir() else "is not named like a stock file"
        raise click.ClickException(f"{path} {what}: it should be called stock-<number>.csv, such as stock-000017.csv.")
    return found


def _read_all(exchange: Exchange, accept_gap: bool) -> StockRead:
    snapshots: list[inbound.TakenIn] = []
    while True:
        done = _patiently(lambda: inbound.read_stock(exchange, now=True, accept_gap=accept_gap))
        snapshots += done.snapshots
        if len(done.snapshots) < inbound.ONCE:
            return replace(done, snapshots=snapshots)


def _refuse_left_over(exchange: Exchange) -> None:
    """A file that was named and is still newer than what was taken in is not whole."""
    last = erp_facts.look(exchange).last
    newer = exchange.adapter.sequences() if isinstance(exchange.adapter, Elsewhere) else []
    if max(newer, default=0) > (last.sequence if last else 0):
        raise click.ClickException("the file is not whole yet: nothing was taken in. Try again once it is.")


def _import_in_words(told: dict[str, Any]) -> None:
    for one in told["snapshots"]:
        click.echo(
            f"{one['source']} (number {one['sequence']}): {one['figures']} figures, {len(one['changed'])} changed"
        )
        for title in ("changed", "unknown"):
            if one[title]:
                click.echo(f"  {title}: {', '.join(one[title])}")
    for one in told["problems"]:
        click.echo(f"{one['source']}, line {one['line'] or '-'}, column {one['column'] or '-'}: {one['words']}")
    if not told["snapshots"]:
        click.echo("Nothing new was there to be taken in.")


@_command("status")
def status(room: Stockroom, as_json: bool) -> None:
    """Show how the exchange stands, also while the ERP is away."""
    exchange = take("exchange")
    try:
        health, answers = exchange.adapter.health(), True
    except ErpError as error:
        health, answers = f"{type(error).__name__}: {error}", False
    standing = erp_facts.look(exchange).as_json()
    _print({"answers": answers, "health": health, **standing}, as_json, _status_in_words)


def _status_in_words(told: dict[str, Any]) -> None:
    click.echo(f"{told['adapter']}: {'it answers' if told['answers'] else 'THE ERP IS AWAY'} ({told['health']})")
    if told["alarm"]:
        click.echo(f"ALARM, no stock is taken in: {told['alarm']}")
    if told["error"]:
        click.echo(f"last error: {told['error']}")
    click.echo(f"breaker: {told['breaker']}; last answer: {told['answered_at'] or 'never'}")
    click.echo(f"buffer: {_in_words(told['backlog'])}; the oldest unsent waits {told['oldest_unsent_seconds']:g} s")
    click.echo(f"batches without an answer: {told['unanswered_batches']}; problems to look at: {told['problems']}")
    last = told["last_snapshot"]
    snapshot = (
        f"number {last['sequence']}, as of {last['as_of']}, {last['age_seconds']:g} s old" if last else "none yet"
    )
    click.echo(f"last snapshot: {snapshot}")


@_command("retry")
@click.argument("ids", nargs=-1, type=int, metavar="[ID]…")
def retry(room: Stockroom, ids: Sequence[int], as_json: bool) -> None:
    """Send dead letters again: those named, or all."""
    number = buffer.retry(room, ids)
    _print({"retried": number}, as_json, lambda told: click.echo(f"{number} will be sent again."))


@_command("reconcile")
@click.option("--from", "first", type=click.DateTime(["%Y-%m-%d"]), help="The first day (UTC).")
@click.option("--to", "last", type=click.DateTime(["%Y-%m-%d"]), help="The last day (UTC).")
@click.option("--csv", "file", type=click.File("w", encoding="utf-8"), help="Write a row for each difference.")
def reconcile_all(
    room: Stockroom, first: datetime | None, last: datetime | None, file: Any, as_json: bool
) -> None:  # fmt: skip
    """Compare the shop's orders with the ERP's books; exit 1 where they differ."""
    try:
        report = reconcile(take("exchange"), _day(first), _day(last))
    except ErpError as error:
        raise click.ClickException(f"the ERP's books cannot be read: {error}") from error
    if file:
        erp_report.write_differences(report, file)
    if as_json:
        click.echo(json.dumps(erp_report.as_json(report), ensure_ascii=False))
    else:
        _report_in_words(report)
    if report.differences:
        raise SystemExit(1)


def _day(at: datetime | None) -> date | None:
    return at.date() if at else None


def _report_in_words(report: Report) -> None:
    for one in report.differences:
        click.echo(f"{one.kind}: order {one.number}, line {one.line}: {_what(one)}")
    for currency, pair in report.totals().items():
        for side, tally in (("shop", pair.shop), ("ERP", pair.erp), ("difference", pair.difference)):
            click.echo(f"{side}: {tally.lines} lines, {tally.units} units, {tally.money:.2f} {currency}")
    on_the_way = report.counts["on_the_way"]
    if on_the_way:
        click.echo(f"On the way, which explains as much of the difference: {on_the_way} lines.")
    if not report.differences:
        click.echo("The shop and the ERP agree.")


def _what(one: Difference) -> str:
    if one.fields:
        return ", ".join(f"{name}: shop {getattr(one.shop, name)}, ERP {getattr(one.erp, name)}" for name in one.fields)
    line = one.shop or one.erp
    return f"{line.quantity} of {line.sku} at {line.unit_price} {line.currency}: {one.why}" if line else one.why


def _print(told: dict[str, Any], as_json: bool, in_words: Callable[[dict[str, Any]], Any]) -> None:
    if as_json:
        click.echo(json.dumps(told, ensure_ascii=False))
    else:
        in_words(told)
