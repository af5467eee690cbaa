"""Who the shopper is: a signed cookie, made at the first change and renewed once a day."""

import time
from uuid import uuid4

from flask import session

DAY_SECONDS = 86_400


def shopper() -> str | None:
    """The shopper of this request, if he ever changed something."""
    return session.get("shopper")


def shopper_at_change() -> str:
    """The shopper of this request, made known now if he was not."""
    today = int(time.time()) // DAY_SECONDS
    own = session._get_current_object()  # type: ignore[attr-defined]  # each look through the proxy costs a microsecond
    if own.get("day") != today:
        own.permanent = True
        own["day"] = today
        own.setdefault("shopper", uuid4().hex)
    return own["shopper"]


def remember_email(email: str) -> None:
    """Keep an address that the shopper has given, so that he need not type it again."""
    if session.get("email") != email:
        session["email"] = email
