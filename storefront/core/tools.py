"""Tools an app keeps: made on first use, so that a command that needs no Redis never waits for one."""

import threading
from collections.abc import Callable
from typing import Any

from flask import Flask, current_app


class _Lazy:
    def __init__(self, make: Callable[[], Any]):
        self._make = make
        self._lock = threading.Lock()
        self._made: list[Any] = []

    def get(self) -> Any:
        with self._lock:
            if not self._made:
                self._made.append(self._make())
            return self._made[0]


def keep(app: Flask, name: str, make: Callable[[], Any]) -> None:
    """Let `app` have a tool of this name; `make` is called once, when it is first taken."""
    app.extensions[name] = _Lazy(make)


def take(name: str) -> Any:
    """The tool of this name of the current app."""
    return current_app.extensions[name].get()
