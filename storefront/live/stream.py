"""Server-sent events: a snapshot, then every change, as long as the client stays."""

import json
from collections.abc import Iterator
from typing import Any

from flask import Blueprint, Response, request

from storefront.core.deadline import deadline
from storefront.core.tools import take
from storefront.live.relay import Relay
from storefront.live.snapshot import check_skus

HEARTBEAT_SECONDS = 15
MOST_DIGITS = 19
OVERLAP_MS = 10_000  # events of different SKUs may come out of order by less than this

live = Blueprint("live_stream", __name__, url_prefix="/live")


@live.get("/stock")
def stream() -> Response:
    skus = check_skus(request.args.getlist("sku"))
    relay: Relay = take("relay")
    since_ms = _since(request.headers.get("Last-Event-ID", ""))
    relay.snapshot(skus)  # an unknown SKU is refused before the stream begins
    response = Response(_events(relay, skus, since_ms), mimetype="text/event-stream")
    response.headers["Cache-Control"] = "no-cache, no-transform"
    response.headers["X-Accel-Buffering"] = "no"
    return response


def _since(last_event_id: str) -> int:
    known = last_event_id.isascii() and last_event_id.isdigit() and len(last_event_id) <= MOST_DIGITS
    return int(last_event_id) - OVERLAP_MS if known else 0


def _events(relay: Relay, skus: list[str], since_ms: int) -> Iterator[str]:
    with relay.listen(skus) as listener:
        yield "retry: 1000\n\n"
        with deadline():
            states = relay.snapshot(skus)["stock"]
        for state in states:
            if state["at_ms"] >= since_ms or state["state"] == "checking":
                yield _event(state)
        while True:
            states = listener.wait(HEARTBEAT_SECONDS)
            yield "".join(map(_event, states)) or ": still here\n\n"


def _event(state: dict[str, Any]) -> str:
    return f"event: stock\nid: {state['at_ms']}\ndata: {json.dumps(state, separators=(',', ':'))}\n\n"
