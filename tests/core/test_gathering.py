"""Gathering: what comes together is worked on together, and each gets his own answer."""

import threading
import traceback
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from storefront.core.gathering import Gathering

PATIENCE_SECONDS = 10


def test_each_gets_his_own_answer() -> None:
    doubled: Gathering[int, int] = Gathering("double", lambda numbers: [2 * one for one in numbers], 0.001, 10)

    with ThreadPoolExecutor(20) as threads:
        answers = list(threads.map(lambda number: doubled.put(number).wait(PATIENCE_SECONDS), range(200)))

    assert answers == [2 * number for number in range(200)]


def test_what_comes_while_work_is_done_is_done_together_and_no_more_at_once_than_allowed() -> None:
    sizes: list[int] = []
    begun, may_go = threading.Event(), threading.Event()

    def work(items: Sequence[int]) -> Sequence[int]:
        sizes.append(len(items))
        begun.set()
        may_go.wait(PATIENCE_SECONDS)
        return items

    slow: Gathering[int, int] = Gathering("slow", work, 0.0, 4)
    first = slow.put(0)
    begun.wait(PATIENCE_SECONDS)
    others = [slow.put(number) for number in range(6)]
    may_go.set()

    assert [one.wait(PATIENCE_SECONDS) for one in [first, *others]] == [0, *range(6)]
    assert sizes == [1, 4, 2]


def test_an_error_reaches_everybody_and_does_not_grow() -> None:
    def fail(items: Sequence[int]) -> Sequence[int]:
        raise ValueError("no")

    failing: Gathering[int, int] = Gathering("failing", fail, 0.01, 100)
    pending = [failing.put(number) for number in range(20)]
    lengths = set()

    for one in pending:
        with pytest.raises(ValueError, match="no") as caught:
            one.wait(PATIENCE_SECONDS)
        lengths.add(len(traceback.extract_tb(caught.value.__traceback__)))

    assert len(lengths) == 1
    assert failing.put(1)  # and the next is worked on again


def test_nobody_waits_longer_than_he_wants_to() -> None:
    may_go = threading.Event()
    stuck: Gathering[int, Sequence[int]] = Gathering("stuck", lambda items: [items] if may_go.wait(30) else [], 0.0, 1)
    pending = stuck.put(1)

    with pytest.raises(TimeoutError):
        pending.wait(0.05)
    may_go.set()

    assert pending.wait(PATIENCE_SECONDS) == [1]
