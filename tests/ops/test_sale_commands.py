"""`flask sale …`: what an operator types, what he reads, and how it fails."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from storefront.stock.models import StockLevel
from storefront.stock.stockroom import Stockroom
from storefront.waiting_room import keys, sales, tick
from tests.cart.shelf import visitor

PACE = ("--opens", "now", "--rate", "10", "--active", "5", "--limit", "2")


@pytest.fixture
def flask(app: Flask, stocked: Callable[..., Stockroom]) -> Callable[..., Result]:
    """Run a `flask` command beside a shop with MUG and CAP."""
    stocked(MUG=5, CAP=5)
    return lambda *arguments: app.test_cli_runner().invoke(args=list(arguments))


def answer(result: Result) -> dict[str, Any]:
    """The sale that a command printed as JSON."""
    assert result.exit_code == 0, result.output
    return json.loads(result.output)["sale"]


def restricted(room: Stockroom) -> dict[str, str | None]:
    """The sale that each SKU can be had in only."""
    with Session(room.engine) as session:
        return {row.sku: row.sale for row in session.scalars(select(StockLevel))}


def test_create_announces_a_sale_of_all_that_was_decided(flask: Callable[..., Result]) -> None:
    created = flask(
        "sale", "create", "drop", "--sku", "MUG", "--opens", "2036-11-27T09:00:00+01:00",
        "--rate", "2.5", "--active", "5", "--limit", "2", "--title", "The drop", "--lobby", "30", "--shuffle",
        "--pass-seconds", "120", "--grace-seconds", "20", "--one-per-email", "--json",
    )  # fmt: skip

    assert answer(created) == {
        "slug": "drop", "title": "The drop", "state": "announced", "message": "", "skus": ["MUG"],
        "opens_at": "2036-11-27T08:00:00.000Z", "opened_at": None, "sold_out_at": None, "closed_at": None,
        "lobby_seconds": 1800, "shuffle": True, "rate": 2.5, "active_most": 5, "limit": 2,
        "pass_seconds": 120, "grace_seconds": 20, "one_per_email": True,
    }  # fmt: skip


@pytest.mark.parametrize("skus", [("--sku", "MUG", "--sku", "CAP"), ("--sku", "MUG", "CAP")], ids=["each", "list"])
def test_several_skus_are_given_one_by_one_or_in_a_row(flask: Callable[..., Result], skus: tuple[str, ...]) -> None:
    created = flask("sale", "create", "drop", *skus, *PACE, "--json")

    assert answer(created)["skus"] == ["CAP", "MUG"]


def test_once_announced_the_skus_need_a_pass(app: Flask, room: Stockroom, flask: Callable[..., Result]) -> None:
    flask("sale", "create", "drop", "--sku", "MUG", *PACE)
    tick.tick_all(room)

    added = visitor(app).add("MUG")

    assert (added.status_code, added.get_json()["code"]) == (403, "pass_required")


@pytest.mark.parametrize("wrong, words", [
    (("--sku", "NONE", *PACE), "unknown_sku"), (("--sku", "MUG", "MUG", *PACE), "sku has to be"),
    (("--sku", "MUG", *PACE, "--rate", "0"), "rate has to be"), (("--sku", "MUG", *PACE, "--rate", "nan"), "rate has"),
    (("--sku", "MUG", *PACE, "--active", "0"), "active has to be"),
    (("--sku", "MUG", *PACE, "--limit", "0"), "limit has to be"),
    (("--sku", "MUG", *PACE, "--opens", "soon"), "is no time"),
    (("--sku", "MUG", *PACE, "--shuffle"), "with a lobby only"), (PACE, "--sku"),
])  # fmt: skip
def test_what_is_wrong_is_named_and_nothing_is_created(
    room: Stockroom, flask: Callable[..., Result], wrong: tuple[str, ...], words: str
) -> None:
    refused = flask("sale", "create", "drop", *wrong)

    assert refused.exit_code != 0
    assert words in refused.output
    assert sales.all_sales(room) == []


def test_a_sale_goes_through_its_states_and_a_wrong_step_is_refused(flask: Callable[..., Result]) -> None:
    flask("sale", "create", "drop", "--sku", "MUG", *PACE)

    states = [answer(flask("sale", verb, "drop", "--json"))["state"] for verb in ("open", "pause", "resume", "drain")]
    closed = flask("sale", "close", "drop")
    again = flask("sale", "open", "drop")

    assert states == ["open", "paused", "open", "draining"]
    assert "drop is closed" in closed.output
    assert (again.exit_code, "not_allowed_now" in again.output) == (1, True)


def test_a_closed_sale_gives_its_skus_back_to_everybody(room: Stockroom, flask: Callable[..., Result]) -> None:
    flask("sale", "create", "drop", "--sku", "MUG", *PACE)

    during = restricted(room)
    flask("sale", "close", "drop")

    assert during == {"MUG": "drop", "CAP": None}
    assert restricted(room) == {"MUG": None, "CAP": None}


def test_an_unknown_sale_is_an_error_of_every_command(flask: Callable[..., Result]) -> None:
    commands: list[tuple[str, ...]] = [(verb, "none") for verb in ("show", *sales.VERBS)]
    commands += [("say", "none", "hello"), ("pace", "none", "--rate", "1")]

    for command in commands:
        refused = flask("sale", *command)
        assert (refused.exit_code, "unknown_sale" in refused.output) == (1, True), command


def test_the_pace_is_changed_in_part_or_whole(flask: Callable[..., Result]) -> None:
    flask("sale", "create", "drop", "--sku", "MUG", *PACE)

    faster = answer(flask("sale", "pace", "drop", "--rate", "50", "--json"))
    wider = answer(flask("sale", "pace", "drop", "--active", "7", "--json"))

    assert (faster["rate"], faster["active_most"]) == (50.0, 5)
    assert (wider["rate"], wider["active_most"]) == (50.0, 7)
    assert flask("sale", "pace", "drop").exit_code == 2


def test_what_is_said_reaches_the_queue(room: Stockroom, flask: Callable[..., Result]) -> None:
    flask("sale", "create", "drop", "--sku", "MUG", *PACE)
    tick.tick_all(room)

    said = answer(flask("sale", "say", "drop", "Two minutes more.", "--json"))

    assert said["message"] == "Two minutes more."
    assert room.redis.hget(keys.head("drop"), "message") == "Two minutes more."


def test_before_the_queue_is_built_a_change_is_kept_for_it(room: Stockroom, flask: Callable[..., Result]) -> None:
    flask("sale", "create", "drop", "--sku", "MUG", *PACE)

    opened = flask("sale", "open", "drop")
    tick.tick_all(room)

    assert opened.exit_code == 0
    assert room.redis.hget(keys.head("drop"), "state") == "open"


def test_close_is_done_although_the_queue_cannot_be_told(room: Stockroom, flask: Callable[..., Result]) -> None:
    flask("sale", "create", "drop", "--sku", "MUG", *PACE)
    tick.tick_all(room)
    room.redis.hset(keys.head("drop"), "run_id", "another server")

    closed = flask("sale", "close", "drop")

    assert closed.exit_code == 0
    assert restricted(room) == {"MUG": None, "CAP": None}


def test_the_audit_names_who_typed_it(
    room: Stockroom, flask: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", "grace")
    flask("sale", "create", "drop", "--sku", "MUG", *PACE)

    flask("sale", "open", "drop")

    found = [(change.who, change.what) for change in sales.changes(room, sales.find(room, "drop"))]
    assert found[0] == ("grace, command line", "open: announced -> open")
    assert found[1][1].startswith("created: slug=drop")


def test_show_tells_the_sale_its_queue_and_the_report(room: Stockroom, flask: Callable[..., Result]) -> None:
    flask("sale", "create", "drop", "--sku", "MUG", *PACE)
    building = answer(flask("sale", "show", "drop", "--json"))
    tick.tick_all(room)
    tick.tick_all(room)

    shown = answer(flask("sale", "show", "drop", "--json"))
    text = flask("sale", "show", "drop").output

    assert building["queue"] is None
    assert shown["queue"] == {
        "waiting": 0, "active": 0, "admitted": 0, "joined": 0, "available": 5, "held": 0,
        "admitted_per_minute": 0.0, "left_per_minute": 0.0, "epoch": 1,
    }  # fmt: skip
    assert (shown["report"]["inversions"], shown["report"]["units_ordered"]) == (0, 0)
    assert "waiting: 0" in text
    assert "seed hash: " in text


def test_the_list_has_every_sale_the_newest_first(flask: Callable[..., Result]) -> None:
    flask("sale", "create", "drop", "--sku", "MUG", *PACE)
    flask("sale", "create", "next-drop", "--sku", "CAP", *PACE)

    listed = flask("sale", "list", "--json")
    text = flask("sale", "list").output

    assert [one["slug"] for one in json.loads(listed.output)["sales"]] == ["next-drop", "drop"]
    assert text.startswith("next-drop: announced, opens ")
