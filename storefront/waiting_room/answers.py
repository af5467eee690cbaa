"""What a client reads of a sale and of a place in it: the same on every way it can come."""

from typing import Any

from storefront.core.times import iso
from storefront.waiting_room.estimates import chance, eta_seconds
from storefront.waiting_room.outcomes import ADMITTED, Place, Queue
from storefront.waiting_room.queue import MOST_EXTENSIONS

SHOWN = {"granted": "admitted", "arrived": "admitted", "no_show": "expired", "none": "left", "spent": "left"}


def sale_json(queue: Queue) -> dict[str, Any]:
    """The event `sale`: how it stands, for everybody. `reason` says why nobody is let in just now, if so."""
    return {
        "sale": queue.slug,
        "state": queue.state,
        "message": queue.message,
        "reason": reason_of(queue),
        "waiting": queue.waiting,
        "available": queue.available,
        "held": queue.held,
        "opens_at": iso(queue.opens_at_ms),
        "opens_in_ms": max(0, queue.opens_at_ms - queue.now_ms),
    }


def reason_of(queue: Queue) -> str | None:
    """Why nobody is let in at the moment; None where people are."""
    if queue.state in ("open", "draining"):
        if queue.is_held:
            return "coming_back"  # after an interruption; those ahead have a moment to return to their places
        return "checking_stock" if queue.available is None else None
    return queue.state


def place_json(queue: Queue, place: Place) -> dict[str, Any]:
    """The event `place` and the answer of tickets/me: where a shopper stands.

    state: waiting, admitted, expired, left or sold_out (his place is kept: units may come back).
    `detail` is the finer state: granted or arrived, no_show or expired, left, spent or none.
    """
    ahead = place.position - 1 if place.position else None
    admitted = place.state in ADMITTED
    return {
        "sale": queue.slug,
        "state": _state(queue, place),
        "detail": place.state,
        "position": place.position,
        "ahead": ahead,
        "eta_seconds": eta_seconds(queue, ahead) if ahead is not None else None,
        "chance": chance(queue, ahead) if ahead is not None else None,
        "waiting": queue.waiting,
        "sale_state": queue.state,
        "reason": reason_of(queue),
        "message": queue.message,
        "pass_expires_at": iso(place.expires_at_ms) if admitted and place.expires_at_ms else None,
        "pass_expires_in_ms": max(0, place.expires_at_ms - queue.now_ms) if admitted and place.expires_at_ms else None,
        "extensions_left": MOST_EXTENSIONS - place.extensions if admitted else 0,
    }


def _state(queue: Queue, place: Place) -> str:
    if place.state == "waiting":
        return {"sold_out": "sold_out", "closed": "left"}.get(queue.state, "waiting")
    return SHOWN.get(place.state, place.state)
