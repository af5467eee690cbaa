"""Long-poll of a sale: answers at once with what the client does not know yet, else waits for it. Keeps no session.

What a client knows it says with `known`, a text that came with the last answer: a digest of what matters
at once, the position, and when it was told. A change of the position alone is answered no sooner than a
`place` event would have come, so that somebody far back does not ask many times a second.
"""

import json
import time
from dataclasses import dataclass
from hashlib import sha256

from flask import Response, jsonify, request

from storefront.core.hand_over import CONNECTION, Connection
from storefront.core.tools import take
from storefront.live.sales.letters import WaitingReader
from storefront.live.sales.places import Told, Watch
from storefront.waiting_room.outcomes import Ticket
from storefront.waiting_room.routes import ticket_of

WAIT_SECONDS = 20
NO_PLACE: Told = {}


@dataclass(frozen=True)
class Known:
    """What a client has been told: `at` is the server's time, in seconds."""

    digest: str
    position: int
    at: float

    def __str__(self) -> str:
        return f"{self.digest}-{self.position}-{self.at:.1f}"


def known_of(raw: str) -> Known:
    """The value of a `known` from outside; of one that is none nothing is known."""
    try:
        digest, position, at = raw.split("-")
        return Known(digest, int(position), float(at))
    except ValueError:
        return Known("", 0, 0.0)


def knowledge(sale: Told, place: Told | None) -> Known:
    """What somebody knows who has just been told this."""
    of_place = place or NO_PLACE
    names = "state", "detail", "reason", "pass_expires_at", "extensions_left"
    facts = [sale["state"], sale["message"], sale["reason"], *(of_place.get(name) for name in names)]
    digest = sha256(json.dumps(facts).encode()).hexdigest()[:16]
    return Known(digest, of_place.get("position") or 0, time.time())


def poll_sale(slug: str) -> Response | tuple[str, int]:
    take("entrance").require(slug)
    known, ticket, reader = known_of(request.args.get("known", "")), ticket_of(slug), WaitingReader()
    watch = take("places").watch(slug, ticket, reader)
    connection: Connection | None = request.environ.get(CONNECTION)
    unwatch = connection.when_gone(reader.leave) if connection else None
    try:
        news = _news(watch, slug, ticket, reader, known)
    finally:
        watch.end()
        if unwatch:
            unwatch()
    if not news:
        return "", 204
    sale, place = news
    response = jsonify(sale=sale, place=place, known=str(knowledge(sale, place)))
    response.cache_control.no_store = True
    return response


def _news(
    watch: Watch, slug: str, ticket: Ticket | None, reader: WaitingReader, known: Known
) -> tuple[Told, Told | None] | None:
    """How the sale and the place stand, once the client ought to hear of it; None where it need not for so long."""
    sale, place = watch.sale, watch.place
    give_up_at = time.monotonic() + WAIT_SECONDS
    while not reader.has_left:
        now = knowledge(sale, place)
        if now.digest != known.digest:
            return sale, place
        quiet = known.at + watch.quiet_seconds - now.at if now.position != known.position else WAIT_SECONDS
        if quiet <= 0:
            return _as_of_now(slug, ticket, reader)
        patience = give_up_at - time.monotonic()
        if patience <= 0:
            return None
        for letter in reader.wait(min(patience, quiet)):
            sale = letter.data if letter.event == "sale" else sale
            place = letter.data if letter.event == "place" else place
    return None


def _as_of_now(slug: str, ticket: Ticket | None, reader: WaitingReader) -> tuple[Told, Told | None]:
    watch = take("places").watch(slug, ticket, reader)
    watch.end()
    return watch.sale, watch.place
