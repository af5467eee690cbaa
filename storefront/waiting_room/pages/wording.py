"""What the pages of a sale say. static/js/sale_words.js says the same; tests/js/sale_words.json holds both to it."""

from collections.abc import Sequence

JOINABLE = ("lobby", "open", "paused", "sold_out")

MINUTE, HOUR, DAY = 60, 3_600, 86_400

REASONS = {
    "paused": "The sale is paused. Your place is kept.",
    "checking_stock": "We are counting the stock, and let nobody in meanwhile. Your place is kept.",
    "checking_queue": "We are checking the queue. Your place is kept, and shows again in a few seconds.",
    "coming_back": "There was an interruption. People are coming back to their places; it goes on in a few seconds.",
}

ENDED = {
    "no_show": ("You missed your turn", "You were let in, but did not come in time, and the next one got your turn."),
    "expired": ("Your time is over", "Your pass has run out, and the next one got your turn."),
    "spent": ("Your order is placed", "Your pass was for this order. Thank you for waiting so patiently."),
}
LEFT = ("You are not in line", "You have left this line, or taken your place along to another device.")


def view_of(sale_state: str, place_state: str | None) -> str:
    """Which view of a sale somebody sees: announced, lobby, join, draining, waiting, sold_out, admitted, ended, closed.

    place_state: as `place_json` tells it; None for somebody who was never here.
    """
    if sale_state == "closed":
        return "closed"
    if place_state == "admitted":
        return "admitted"
    if place_state in ("waiting", "sold_out"):
        return "sold_out" if sale_state == "sold_out" else "waiting"
    if place_state:
        return "ended"
    return "join" if sale_state in ("open", "paused", "sold_out") else sale_state


def ordinal(number: int) -> str:
    """1st, 2nd, 3rd, 4th, … 11th, … 1,021st."""
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number:,}{ending}"


def ahead_words(ahead: int) -> str:
    if ahead == 0:
        return "Nobody is before you: you are next."
    return "1 person is before you." if ahead == 1 else f"{ahead:,} people are before you."


def eta_words(eta_seconds: Sequence[int] | None) -> str:
    """A range of seconds as people say it; the lower end rounded down, the upper one up."""
    if eta_seconds is None:
        return "Nobody can tell just now"
    low, high = eta_seconds
    if high <= MINUTE:
        return "Less than a minute"
    if low >= DAY:
        return "More than a day"
    unit, name = (MINUTE, "minutes") if high <= 2 * HOUR else (HOUR, "hours")
    least, most = low // unit, -(-high // unit)
    if least == 0:
        return f"Up to {most} {name}"
    return f"About {most} {name}" if least == most else f"About {least}–{most} {name}"


def chance_words(chance: str | None, available: int | None, held: int | None, ahead: int | None) -> str:
    """How likely it is to get something, with the figures that it comes from; "" where nobody can tell."""
    if chance is None or available is None or ahead is None:
        return ""
    if chance == "none":
        return "Nothing is left."
    if available == 0:
        return f"None left, but {held or 0:,} in the carts of others: what is not bought comes back to this line."
    figures = f"{available:,} left, {ahead:,} before you"
    if chance == "likely":
        return f"{figures}: it should be enough for you."
    if chance == "possible":
        return f"{figures}: possible, if not everybody takes as much as he may."
    if available > ahead:
        return f"{available:,} left, but those who are in just now may still take them: unlikely."
    return f"{figures}: unlikely that it reaches you."


def reason_words(reason: str | None) -> str:
    """Why nobody is let in at the moment; "" where people are, or the page says so anyhow."""
    return REASONS.get(reason or "", "")


def rise_words(more: int) -> str:
    """Why somebody is farther back than before."""
    who = "1 person" if more == 1 else f"{more:,} people"
    return f"{who} ahead of you came back after an interruption."


def until_words(milliseconds: int) -> str:
    """The time until something begins: 2 d 3 h, 3:12:05 or 12:05; rounded up, so that 00:00 means now."""
    seconds = max(0, -(-milliseconds // 1000))
    days, hours, minutes = seconds // DAY, seconds % DAY // HOUR, seconds % HOUR // MINUTE
    if days:
        return f"{days} d {hours} h"
    clock = f"{minutes:02d}:{seconds % MINUTE:02d}"
    return f"{hours}:{clock}" if hours else clock


def title_words(view: str, position: int | None) -> str:
    """What stands first in the title of the window, which is all that a hidden tab shows."""
    if view == "admitted":
        return "Your turn!"
    if view == "waiting":
        return f"{ordinal(position)} in line" if position else "You are in"
    return {"sold_out": "Sold out", "ended": "Not in line", "closed": "Over"}.get(view, "Waiting room")


def ended_words(detail: str) -> tuple[str, str]:
    """Headline and sentence for somebody whose turn is over, or who has left."""
    return ENDED.get(detail, LEFT)
