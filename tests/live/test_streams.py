"""Streams that go on without their request: over real connections, under eventlet."""

import socket
from collections.abc import Callable, Iterator
from typing import Any

import eventlet
import pytest
import requests
from eventlet.greenio import GreenSocket
from eventlet.hubs import get_hub

from storefront.live.streams import BEAT, Stream, Streams, chunk_of, event_of
from tests.running import RunningShop

Connect = Callable[..., tuple[Stream, GreenSocket]]


def state(sku: str = "MUG", available: int = 3, version: int = 1) -> dict[str, Any]:
    return {"sku": sku, "available": available, "version": version, "epoch": 1, "state": "low", "at_ms": 1}


@pytest.fixture
def all_streams() -> Iterator[Streams]:
    """The streams of a process; its heart stands still."""
    tasks: list[Any] = []

    def start(*task: Any) -> None:
        tasks.append(eventlet.spawn(*task))

    yield Streams(start)
    for task in tasks:
        task.kill()


@pytest.fixture
def connect(all_streams: Streams) -> Iterator[Connect]:
    """A client of the streams, and its end of the connection: `connect("MUG", "CAP")`."""
    ends: list[GreenSocket] = []

    def come(*skus: str) -> tuple[Stream, GreenSocket]:
        near, far = socket.socketpair()
        ends.append(GreenSocket(far))
        ends[-1].settimeout(5)
        return all_streams.add(GreenSocket(near), skus), ends[-1]

    yield come
    for end in ends:
        end.close()


def test_a_state_goes_to_those_who_watch_its_sku(all_streams: Streams, connect: Connect) -> None:
    _, mug = connect("MUG")
    _, both = connect("MUG", "CAP")

    all_streams.tell(state("CAP"))
    all_streams.tell(state("MUG"))

    assert mug.recv(1000) == chunk_of(event_of(state("MUG")))
    assert both.recv(1000) == chunk_of(event_of(state("CAP"))) + chunk_of(event_of(state("MUG")))
    assert sorted(all_streams.watched()) == ["CAP", "MUG"]


def test_a_client_that_has_gone_is_forgotten_at_the_first_word_to_it(all_streams: Streams, connect: Connect) -> None:
    _, gone = connect("MUG")
    connect("CAP")
    gone.close()

    all_streams.tell(state("MUG"))

    assert len(all_streams) == 1
    assert all_streams.watched() == ["CAP"]


def test_a_client_that_hangs_up_is_not_written_to_any_longer(
    monkeypatch: pytest.MonkeyPatch, all_streams: Streams, connect: Connect
) -> None:
    monkeypatch.setattr("storefront.live.streams.time.sleep", eventlet.sleep)
    stream, _ = connect("MUG")
    while not stream.busy:
        stream.tell(state())
    eventlet.sleep(0.01)
    waiting_for_it = len(get_hub().get_writers())

    stream.gone()
    eventlet.sleep(0.01)

    assert (waiting_for_it, len(get_hub().get_writers())) == (1, 0)
    assert len(all_streams) == 0


def test_a_quiet_line_beats(monkeypatch: pytest.MonkeyPatch, all_streams: Streams, connect: Connect) -> None:
    monkeypatch.setattr("storefront.live.streams.time.sleep", lambda seconds: eventlet.sleep(0.01))
    _, far = connect("MUG")

    assert far.recv(len(chunk_of(BEAT))) == chunk_of(BEAT)


def test_who_is_dismissed_is_told_when_to_come_back(all_streams: Streams, connect: Connect) -> None:
    ends = [connect("MUG")[1] for _ in range(20)]

    all_streams.dismiss()

    words = [end.recv(1000).decode() for end in ends]
    assert all(word.endswith("0\r\n\r\n") and "retry: " in word for word in words)
    assert len(set(words)) > 10
    assert len(all_streams) == 0


def test_events_of_a_running_shop_are_whole_and_in_order(served: RunningShop) -> None:
    ann = served.shopper()
    with requests.get(f"{served.url}/live/stock?sku=S22&sku=S23", stream=True, timeout=5) as answer:
        lines: Iterator[str] = answer.iter_lines(chunk_size=1, decode_unicode=True)  # type: ignore[assignment]
        data = (line for line in lines if line.startswith("data:"))
        snapshot = [next(data), next(data)]

        for _ in range(5):
            served.add(ann, "S22")
        while '"available":45' not in (last := next(data)):
            pass

    assert len(snapshot) == 2
    assert '"sku":"S22"' in last
