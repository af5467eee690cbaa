"""Many at once: threads over one stockroom, and stockrooms beside each other."""

import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from storefront.core.errors import Refusal
from storefront.stock import adjustments, reservations
from storefront.stock.journal import Entry
from storefront.stock.repair import repair
from storefront.stock.stockroom import Stockroom
from storefront.stock.verify import verify
from tests.live.conftest import wait_until
from tests.stock.steps import available, hold, let_run_out, sell, state_of

Stocked = Callable[..., Stockroom]


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """Run `calls` in parallel; return their results, refusals included."""
    start = threading.Barrier(len(calls))
    results: list[Any] = [None] * len(calls)

    def run(number: int, call: Callable[[], Any]) -> None:
        start.wait()
        try:
            results[number] = call()
        except Refusal as refusal:
            results[number] = refusal.code

    threads = [threading.Thread(target=run, args=one) for one in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_a_hundred_shoppers_get_exactly_the_fifty_units(stocked: Stocked) -> None:
    room = stocked(MUG=50)

    results = at_once(*(lambda n=n: hold(room, shopper=f"s{n}", id=f"r{n}") for n in range(100)))

    assert results.count("sold_out") == 50
    assert available(room) == 0
    assert verify(room, 0) == []


def test_a_click_repeated_in_parallel_takes_one_unit(stocked: Stocked, other_process: Callable[..., Stockroom]) -> None:
    room, other = stocked(MUG=50), other_process()

    results = at_once(*(lambda n=n: hold((room, other)[n % 2]) for n in range(20)))

    assert {result.units_of_shopper for result in results} == {1}
    assert available(room) == 49
    assert verify(room, 0) == []


def test_parallel_clicks_of_one_shopper_stay_within_the_limit(stocked: Stocked) -> None:
    room = stocked(MUG=50)
    adjustments.set_limit(room, "MUG", 3)

    results = at_once(*(lambda n=n: hold(room, id=f"r{n}") for n in range(20)))

    assert results.count("limit_reached") == 17
    assert available(room) == 47


def test_parallel_reservations_share_transactions(stocked: Stocked, monkeypatch: pytest.MonkeyPatch) -> None:
    room = stocked(MUG=64)
    commit = room.journal._commit
    batches: list[int] = []

    def commit_after_all_have_come(entries: Sequence[Entry]) -> dict[str, str]:
        batches.append(len(entries))
        wait_until(lambda: sum(batches) + len(room.journal._pages._pending) == 64)
        return commit(entries)

    monkeypatch.setattr(room.journal, "_commit", commit_after_all_have_come)

    at_once(*(lambda n=n: hold(room, shopper=f"s{n}", id=f"r{n}") for n in range(64)))

    assert len(batches) <= 2
    assert verify(room, 0) == []


@pytest.mark.parametrize("round", range(5))
def test_a_release_and_a_sale_at_the_deadline_have_one_winner(stocked: Stocked, round: int) -> None:
    room = stocked(MUG=5)
    hold(room, units=2)

    at_once(lambda: reservations.release(room, "r1", "MUG"), lambda: sell(room, "r1"))

    assert (state_of(room), available(room)) in {("released", 5), ("sold", 3)}
    assert verify(room, 0) == []


@pytest.mark.parametrize("round", range(5))
def test_sweeper_releaser_and_repair_at_once_give_units_back_once(stocked: Stocked, round: int) -> None:
    room = stocked(MUG=5)
    hold(room, units=2)
    let_run_out(room, "r1")

    at_once(
        lambda: reservations.expire_all_due(room),
        lambda: reservations.release(room, "r1", "MUG"),
        lambda: repair(room),
    )

    assert available(room) == 5
    assert verify(room, 0) == []


def test_movements_made_in_parallel_all_reach_redis(stocked: Stocked) -> None:
    room = stocked(MUG=0)

    at_once(*(lambda: adjustments.receive(room, "MUG", 3, "delivery") for _ in range(12)))

    assert available(room) == 36
    assert verify(room, 0) == []
