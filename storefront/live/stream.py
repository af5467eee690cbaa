"""Server-sent events: a snapshot, then every change, as long as the client stays."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from flask import Blueprint, Response, request

from storefront.core.deadline import deadline
from storefront.core.hand_over import CONNECTION, Connection
from storefront.core.tools import take
from storefront.live.doors import KEEP_OPEN
from storefront.live.relay import Listener, Relay
from storefront.live.snapshot import check_skus
from storefront.live.streams import BEAT, HEARTBEAT_SECONDS, Streams, event_of

SECOND_LOOK_SECONDS = 0.5  # the first may have taken what a request has; whatever is not known then follows
MOST_DIGITS = 19
OVERLAP_MS = 10_000  # events of different SKUs may come out of order by less than this

live = Blueprint("live_stream", __name__, url_prefix="/live")


@live.get("/stock")
def stream() -> Response:
    skus = check_skus(request.args.getlist("sku"))
    relay: Relay = take("relay")
    since_ms = _since(request.headers.get("Last-Event-ID", ""))
    relay.snapshot(skus)  # an unknown SKU is refused before the stream begins
    go_on = partial(_go_on, take("streams"), request.environ) if CONNECTION in request.environ else None
    response = Response(_events(relay, skus, since_ms, go_on), mimetype="text/event-stream")
    response.headers["Cache-Control"] = "no-cache, no-transform"
    response.headers["X-Accel-Buffering"] = "no"
    return response


def _since(last_event_id: str) -> int:
    known = last_event_id.isascii() and last_event_id.isdigit() and len(last_event_id) <= MOST_DIGITS
    return int(last_event_id) - OVERLAP_MS if known else 0


def _events(relay: Relay, skus: list[str], since_ms: int, go_on: Callable[[Listener], None] | None) -> Iterator[str]:
    with relay.listen(skus) as listener:
        yield "retry: 1000\n\n"
        with deadline(SECOND_LOOK_SECONDS):
            states = relay.snapshot(skus)["stock"]
        yield "".join(event_of(state) for state in states if state["at_ms"] >= since_ms or state["state"] == "checking")
        if go_on:
            go_on(listener)
            return
        while True:
            states = listener.wait(HEARTBEAT_SECONDS)
            yield "".join(map(event_of, states)) or BEAT


def _go_on(streams: Streams, environ: dict[str, Any], listener: Listener) -> None:
    """Let the stream go on without this request, from where the listener is."""
    connection: Connection = environ[CONNECTION]
    stream = streams.add(connection.hand_over(), listener.skus, environ[KEEP_OPEN](), connection.when_gone)
    for state in listener.wait(0):
        stream.tell(state)
