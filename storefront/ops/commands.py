"""What the operator's commands have in common: how they fail, and how they read a time."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from typing import Any

import click
from flask.cli import AppGroup
from redis.exceptions import RedisError

from storefront.core.errors import Refusal
from storefront.core.tools import take
from storefront.stock import rebuild
from storefront.stock.stockroom import Stockroom

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def command(group: AppGroup, name: str, **context: Any) -> Callable[[Callable[..., None]], click.Command]:
    """A command of `group` that is handed the stockroom and `as_json`.

    A refusal or an unreachable Redis becomes a reason and exit code 1.
    """

    def decorate(function: Callable[..., None]) -> click.Command:
        @wraps(function)
        def run(**arguments: Any) -> None:
            try:
                room = take("stockroom")
                rebuild.rebuild_if_closed(room)  # beside a stopped shop an embedded Redis was just started for us
                function(room, **arguments)
            except Refusal as refusal:
                raise click.ClickException(f"{refusal.code}: {refusal.detail}") from refusal
            except RedisError as error:
                raise click.ClickException(f"Redis does not answer: {error}") from error

        return group.command(name, context_settings=context)(as_json(run))

    return decorate


def read_time(room: Stockroom, text: str) -> int:
    """A time in ms: ISO 8601 (UTC where it names no zone), or "now". Raises click.BadParameter."""
    if text == "now":
        return room.now_ms()
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise click.BadParameter(
            f"{text!r} is no time: give ISO 8601 like 2026-11-23T09:30:00+01:00, or now."
        ) from error
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)
