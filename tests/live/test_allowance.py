"""What one socket may ask for."""

import pytest

from storefront.live import allowance
from storefront.live.allowance import BURST, EVENTS_PER_SECOND, MOST_WATCHED, Allowance, TooManyEvents, TooManySkus


def test_a_burst_is_granted_and_then_so_many_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(allowance.time, "monotonic", lambda: clock[0])  # type: ignore[attr-defined]
    socket = Allowance()
    for _ in range(BURST):
        socket.spend()

    with pytest.raises(TooManyEvents):
        socket.spend()
    clock[0] = 1.0
    for _ in range(EVENTS_PER_SECOND):
        socket.spend()
    with pytest.raises(TooManyEvents):
        socket.spend()


def test_so_many_skus_are_watched_and_not_one_more() -> None:
    socket = Allowance()
    socket.watch(f"S{number}" for number in range(MOST_WATCHED))
    socket.watch(["S0"])

    with pytest.raises(TooManySkus):
        socket.watch(["one more"])
    socket.unwatch(["S0"])
    socket.watch(["one more"])
