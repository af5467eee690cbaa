"""A stockroom that heals only when told to, and further processes beside it."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask

from storefront.core.config import Settings
from storefront.core.embedded_redis import EmbeddedRedis
from storefront.core.redis import connect
from storefront.core.tools import take
from storefront.stock.rebuild import rebuild
from storefront.stock.stockroom import Stockroom

pytest.register_assert_rewrite("tests.stock.history")


@pytest.fixture
def room(app: Flask) -> Stockroom:
    """The stockroom of `app`, its gate open; found closed, it stays closed until the test rebuilds."""
    return replace(take("stockroom"), on_closed=lambda room, sku: None)


@pytest.fixture
def other_process(room: Stockroom, settings_of: Callable[..., Settings]) -> Callable[..., Stockroom]:
    """Make the stockroom of one more process: connections and fence of its own; fields as keywords."""
    url = settings_of().redis_url
    assert url

    def start(**fields: object) -> Stockroom:
        return Stockroom(redis=connect(url), unfenced=connect(url), engine=room.engine, **fields)  # type: ignore[arg-type]

    return start


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[EmbeddedRedis]:
    """A Redis of the test's own, to be stopped, robbed and restored."""
    with EmbeddedRedis(tmp_path / "own-redis") as server:
        yield server


@pytest.fixture
def own_room(room: Stockroom, stocked: Callable[..., Stockroom], own_redis: EmbeddedRedis) -> Stockroom:
    """A stockroom on `own_redis` with 5 units of MUG and 5 of CAP, its gate open."""
    stocked(MUG=5, CAP=5)
    own = Stockroom(redis=connect(own_redis.url), unfenced=connect(own_redis.url), engine=room.engine)
    rebuild(own)
    return own
