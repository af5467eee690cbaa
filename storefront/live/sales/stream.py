"""Server-sent events of a sale: how it and one's place stand, then what changes, as long as the client stays."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from typing import Any

from flask import Blueprint, Response, request

from storefront.core.deadline import deadline
from storefront.core.hand_over import CONNECTION, Connection
from storefront.core.tools import take
from storefront.live.doors import KEEP_OPEN
from storefront.live.sales.letters import Letter, StreamReader, WaitingReader
from storefront.live.sales.places import Places, Watch
from storefront.live.streams import BEAT, HEARTBEAT_SECONDS, Streams
from storefront.waiting_room.outcomes import Ticket
from storefront.waiting_room.routes import ticket_of

FIRST_LOOK_SECONDS = 0.5  # what is not known then follows

live = Blueprint("live_sales", __name__, url_prefix="/live/sales")

GoOn = Callable[[WaitingReader, Callable[[], None]], None]


@live.get("/<slug>")
def stream(slug: str) -> Response:
    take("entrance").require(slug)
    go_on = partial(_go_on, take("streams"), request.environ) if CONNECTION in request.environ else None
    response = Response(_events(take("places"), slug, ticket_of(slug), go_on), mimetype="text/event-stream")
    response.headers["Cache-Control"] = "no-cache, no-transform"
    response.headers["X-Accel-Buffering"] = "no"
    return response


def _events(places: Places, slug: str, ticket: Ticket | None, go_on: GoOn | None) -> Iterator[str]:
    yield "retry: 1000\n\n"
    reader = WaitingReader()
    with ExitStack() as ends:
        with deadline(FIRST_LOOK_SECONDS):
            watch = places.watch(slug, ticket, reader)
        ends.callback(watch.end)
        yield "".join(letter.text for letter in first_letters(watch))
        if go_on:
            go_on(reader, ends.pop_all().close)
            return
        while True:
            yield "".join(letter.text for letter in reader.wait(HEARTBEAT_SECONDS)) or BEAT


def first_letters(watch: Watch) -> list[Letter]:
    place = [Letter("place", watch.place)] if watch.place else []
    return [Letter("sale", watch.sale), *place]


def _go_on(streams: Streams, environ: dict[str, Any], reader: WaitingReader, end: Callable[[], None]) -> None:
    """Let the stream go on without this request, from where the reader is."""
    connection: Connection = environ[CONNECTION]
    leave = environ[KEEP_OPEN]()

    def ends() -> None:
        end()
        leave()

    stream = streams.add(connection.hand_over(), (), ends, connection.when_gone)
    reader.hand_over(StreamReader(stream))
