"""How long a request may wait, in all, for what stands behind the shop: Redis and the database.

Each single wait has a limit of its own, but a request makes several, one after the other. So it
carries a deadline with it, and whoever waits on its behalf asks here for how long. Once it has
passed, what is well still has a moment to answer: where Redis was slow, the database can still
roll back, and where the database was slow, Redis can still be told how it ended.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from flask import Flask

REQUEST_SECONDS = 1.8  # the answer is due within 3 s, and has to be made yet, perhaps by a busy machine
MOMENT_SECONDS = 0.1

_ends_at: ContextVar[float | None] = ContextVar("ends_at", default=None)  # None: nobody waits for an answer


@contextmanager
def deadline(seconds: float = REQUEST_SECONDS) -> Iterator[None]:
    """Let everything the block waits for take at most `seconds` in all; threads that it starts are free of it."""
    before, ends_at = _ends_at.get(), time.monotonic() + seconds
    token = _ends_at.set(ends_at if before is None else min(before, ends_at))
    try:
        yield
    finally:
        _ends_at.reset(token)


def seconds_left(most: float) -> float:
    """How long to wait for one thing: `most` seconds, or what the deadline leaves, a moment at the least."""
    ends_at = _ends_at.get()
    return most if ends_at is None else min(most, max(MOMENT_SECONDS, ends_at - time.monotonic()))


def init_app(app: Flask) -> None:
    """Give each request of `app` its deadline. What a stream sends after its first answer is free of it."""
    answer = app.wsgi_app

    def bounded(environ: Any, start_response: Any) -> Any:
        with deadline():
            return answer(environ, start_response)

    app.wsgi_app = bounded  # type: ignore[method-assign]
