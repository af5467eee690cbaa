"""Estimates: ranges from what was measured, and honesty where nobody can tell."""

from dataclasses import replace

import pytest

from storefront.waiting_room.estimates import chance, eta_seconds, telling_seconds
from storefront.waiting_room.outcomes import Queue

QUEUE = Queue(
    slug="drop", title="Drop", state="open", message="", skus=("MUG",), epoch=1, opens_at_ms=0, limit_units=1,
    rate=10.0, waiting=5000, active=100, joined=6000, admitted=1000, available=1000, held=0, owed=100,
    came=600, left=0, span_ms=60_000, hold_until_ms=0, now_ms=1_000_000,
)  # fmt: skip


def test_the_range_holds_what_the_outflow_says() -> None:
    low, high = eta_seconds(QUEUE, 3000) or (0, 0)

    assert low < 300 < high
    assert (low, high) == (240, 361)


def test_few_admissions_make_a_wide_range() -> None:
    low, high = eta_seconds(replace(QUEUE, came=4), 40) or (0, 0)

    assert low == 300
    assert high == 901


def test_people_who_give_up_make_it_quicker_at_best() -> None:
    low, high = eta_seconds(replace(QUEUE, left=600), 3000) or (0, 0)

    assert low == 120
    assert high == 361


def test_before_anybody_was_let_in_the_rate_is_believed() -> None:
    low, high = eta_seconds(replace(QUEUE, came=0, admitted=0), 100) or (0, 0)

    assert low <= 10 <= high


@pytest.mark.parametrize("changed", [{"state": "paused"}, {"state": "sold_out"}, {"came": 0}])
def test_nobody_can_tell_when_nobody_is_let_in(changed: dict[str, object]) -> None:
    assert eta_seconds(replace(QUEUE, **changed), 3000) is None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("ahead", "limit", "words"),
    [(0, 1, "likely"), (899, 1, "likely"), (900, 1, "unlikely"), (500, 2, "possible"), (449, 2, "likely")],
)
def test_the_chance_follows_the_units(ahead: int, limit: int, words: str) -> None:
    assert chance(replace(QUEUE, limit_units=limit), ahead) == words


def test_without_units_there_is_a_chance_only_while_some_are_in_carts() -> None:
    empty = replace(QUEUE, available=0, owed=0)

    assert chance(replace(empty, held=3), 0) == "unlikely"
    assert chance(empty, 0) == "none"
    assert chance(replace(empty, available=None), 0) is None


@pytest.mark.parametrize(("position", "seconds"), [(1, 1.0), (1000, 5.0), (1_000_000, 30.0)])
def test_those_far_back_hear_less_often(position: int, seconds: float) -> None:
    assert telling_seconds(QUEUE, position) == seconds
