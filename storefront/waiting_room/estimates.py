"""Estimates for those who wait: how long, how likely, and how often they need to hear of it."""

import math

from storefront.waiting_room.outcomes import Queue

MOST_CERTAIN = 0.2  # the range never claims to be narrower than this, to both sides
TELLING_SHARE = 0.05  # of the time until one's turn, between two messages
TELLING_SECONDS = 1.0, 30.0


def eta_seconds(queue: Queue, ahead: int) -> tuple[int, int] | None:
    """In how many seconds somebody with `ahead` people before him is let in: (at the earliest, at the latest).

    Measured: the people admitted within the last minute; those who gave up make it quicker, at best.
    The fewer of them, the wider the range (their number is a Poisson count). None where nobody can tell.
    """
    if queue.state not in ("open", "draining"):
        return None
    counted = queue.came + queue.left
    if not queue.came:
        if queue.admitted:
            return None  # it has come to a halt
        low = high = ahead / queue.rate
    else:
        low = ahead / (counted / queue.span_ms * 1000)
        high = ahead / (queue.came / queue.span_ms * 1000)
    doubt = max(MOST_CERTAIN, 1 / math.sqrt(counted or 1))
    return math.floor(low * (1 - min(doubt, 0.9))), math.ceil(high * (1 + doubt)) + 1


def chance(queue: Queue, ahead: int) -> str | None:
    """How likely somebody with `ahead` people before him is to get something: likely, possible, unlikely or none.

    Likely: there is enough for all before him if each takes all he may. Possible: if each takes one.
    None where the stock is being checked.
    """
    if queue.available is None:
        return None
    free = queue.available - queue.owed  # those who are in already come first
    if free > ahead * queue.limit_units:
        return "likely"
    if free > ahead:
        return "possible"
    return "unlikely" if queue.available + queue.held > 0 else "none"


def telling_seconds(queue: Queue, position: int) -> float:
    """How long somebody at `position` need not hear of it: clamp(share * position / outflow, 1 s, 30 s)."""
    outflow = (queue.came + queue.left) / queue.span_ms * 1000 or queue.rate
    least, most = TELLING_SECONDS
    return min(most, max(least, TELLING_SHARE * position / outflow))
