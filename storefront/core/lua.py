"""Lua scripts that live in files beside the Python that calls them."""

from collections.abc import Iterable
from functools import cached_property
from hashlib import sha1
from pathlib import Path
from typing import Any

from redis import Redis
from redis.client import Pipeline


class Script:
    """One `.lua` file, called by EVALSHA only.

    It is never loaded on demand: a server that does not know it answers NOSCRIPT, which is how
    a Redis that lost its memory is noticed. redis-py's own `register_script` would hide that.
    """

    def __init__(self, path: Path, prelude: str = ""):
        self.path = path
        self.prelude = prelude

    @cached_property
    def source(self) -> str:
        return self.prelude + self.path.read_text()

    @cached_property
    def sha(self) -> str:
        return sha1(self.source.encode(), usedforsecurity=False).hexdigest()

    def __call__(self, redis: Redis | Pipeline, keys: Iterable[str], *args: str | int) -> Any:
        keys = list(keys)
        return redis.evalsha(self.sha, len(keys), *keys, *args)


def load_all(redis: Redis, scripts: Iterable[Script]) -> None:
    """SCRIPT LOAD each of `scripts`."""
    for script in scripts:
        redis.script_load(script.source)
