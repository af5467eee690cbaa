"""Server-sent events."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from flask import Flask

from storefront.live import stream
from tests.cart.shelf import shelve, visitor
from tests.live.conftest import RunningRelay

pytestmark = pytest.mark.only_on("sqlite")  # SQL has no part in it

Start = Callable[..., RunningRelay]


def pieces(app: Flask, query: str, **headers: str) -> Any:
    """The open stream, piece by piece; to be closed."""
    answer = visitor(app).get(f"/live/stock?{query}", headers=headers, buffered=False)
    assert answer.status_code == 200, answer.text
    assert answer.mimetype == "text/event-stream"
    return answer.response


def events(chunks: Iterator[bytes | str]) -> Iterator[dict[str, Any]]:
    """The stock states in a stream, and {"comment": …} for its heartbeats."""
    for chunk in chunks:
        text = chunk.decode() if isinstance(chunk, bytes) else chunk
        for block in filter(None, text.split("\n\n")):
            fields = dict(line.partition(": ")[::2] for line in block.splitlines())
            if fields.get("event") == "stock":
                yield {**json.loads(fields["data"]), "id": fields["id"]}
            elif "" in fields:
                yield {"comment": fields[""]}


def test_first_the_snapshot_then_each_change(app: Flask, start_relay: Start) -> None:
    shelve(MUG=5, CAP=3)
    start_relay()

    with closing(pieces(app, "sku=MUG&sku=CAP")) as chunks:
        told = events(chunks)
        snapshot = [next(told), next(told)]
        threading.Timer(0.1, lambda: visitor(app).add("CAP")).start()
        change = next(told)

    assert [(state["sku"], state["available"]) for state in snapshot] == [("MUG", 5), ("CAP", 3)]
    assert (change["sku"], change["available"]) == ("CAP", 2)
    assert change["version"] > snapshot[1]["version"]


def test_a_change_of_another_sku_is_not_told(app: Flask, start_relay: Start) -> None:
    shelve(MUG=5, CAP=3)
    start_relay()

    with closing(pieces(app, "sku=MUG")) as chunks:
        told = events(chunks)
        next(told)
        visitor(app).add("CAP")
        threading.Timer(0.2, lambda: visitor(app).add("MUG")).start()

        assert next(told)["sku"] == "MUG"


def test_a_quiet_stream_beats(app: Flask, start_relay: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "HEARTBEAT_SECONDS", 0.1)
    shelve(MUG=5)
    start_relay()

    with closing(pieces(app, "sku=MUG")) as chunks:
        told = events(chunks)
        next(told)
        beats = [next(told), next(told)]

    assert all("comment" in beat for beat in beats)


def test_who_comes_back_hears_only_what_is_newer(app: Flask, start_relay: Start) -> None:
    shelve(MUG=5, CAP=3)
    start_relay()
    with closing(pieces(app, "sku=MUG")) as chunks:
        last = next(events(chunks))["id"]
    much_later = str(int(last) + 60_000)

    with closing(pieces(app, "sku=MUG&sku=CAP", **{"Last-Event-ID": much_later})) as chunks:
        told = events(chunks)
        threading.Timer(0.1, lambda: visitor(app).add("CAP")).start()
        first = next(told)
    with closing(pieces(app, "sku=MUG", **{"Last-Event-ID": last})) as chunks:
        again = next(events(chunks))

    assert (first["sku"], first["available"]) == ("CAP", 2)  # no snapshot of what she knows
    assert again["sku"] == "MUG"  # within the overlap it is told again


@pytest.mark.parametrize("nonsense", ["abc", "-5", "²", "9" * 5000, "1e9"])
def test_a_last_event_id_that_is_none_means_from_the_start(app: Flask, start_relay: Start, nonsense: str) -> None:
    shelve(MUG=5)
    start_relay()

    with closing(pieces(app, "sku=MUG", **{"Last-Event-ID": nonsense})) as chunks:
        assert next(events(chunks))["sku"] == "MUG"


def test_no_proxy_may_keep_it_back(app: Flask, start_relay: Start) -> None:
    shelve(MUG=5)
    start_relay()

    answer = visitor(app).get("/live/stock?sku=MUG", buffered=False)
    answer.close()

    assert "no-cache" in answer.headers["Cache-Control"]
    assert answer.headers["X-Accel-Buffering"] == "no"


@pytest.mark.parametrize("query, status", [("", 422), ("sku=NONE", 404), ("sku=%00", 422)])
def test_what_cannot_be_streamed_is_a_problem(app: Flask, start_relay: Start, query: str, status: int) -> None:
    start_relay()

    answer = visitor(app).get(f"/live/stock?{query}")

    assert answer.status_code == status
    assert answer.mimetype == "application/problem+json"
