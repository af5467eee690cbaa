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
    if session.get("day") != today:
        session.permanent = True
        session["day"] = today
        session.setdefault("shopper", uuid4().hex)
    return session["shopper"]


def remember_email(email: str) -> None:
    """Keep an address that the shopper has given, so that he need not type it again."""
    if session.get("email") != email:
        session["email"] = email
