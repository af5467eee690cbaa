"""A Redis that accepts connections and answers nothing; how shoppers meet it stands in processes/test_sick_shop.py."""

import os
import signal
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask

from storefront import create_app, ops
from storefront.core.config import Settings
from storefront.core.embedded_redis import EmbeddedRedis
from storefront.core.redis import connect
from storefront.core.tools import take
from storefront.stock import keys
from storefront.stock.rebuild import rebuild
from storefront.stock.repair import repair
from storefront.stock.verify import verify
from tests.cart.shelf import Visitor, available, shelve, visitor

pytestmark = pytest.mark.only_on("sqlite")  # it is Redis that is ill


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[EmbeddedRedis]:
    """A Redis that nobody else uses."""
    with EmbeddedRedis(tmp_path / "own-redis") as server:
        yield server


@pytest.fixture
def pid(own_redis: EmbeddedRedis) -> int:
    """The process id of that Redis."""
    return connect(own_redis.url).info("server")["process_id"]


@pytest.fixture
def thaw(pid: int) -> Callable[[], None]:
    """Let Redis go on."""
    return lambda: os.kill(pid, signal.SIGCONT)


@pytest.fixture
def frozen(
    settings_of: Callable[..., Settings], own_redis: EmbeddedRedis, pid: int, thaw: Callable[[], None]
) -> Iterator[tuple[Flask, Visitor]]:
    """A shop with five mugs and a shopper who holds one, whose Redis froze a moment ago."""
    app = create_app(settings_of(REDIS_URL=own_redis.url, OPS_PASSWORD="secret"))
    ops.serve(app, own_redis.url, connect(own_redis.url))
    with app.app_context():
        rebuild(take("stockroom"))
        shelve(MUG=5)
    ann = visitor(app)
    ann.add("MUG")
    os.kill(pid, signal.SIGSTOP)
    yield app, ann
    thaw()


def test_the_operators_pages_say_what_is_wrong_in_time(frozen: tuple[Flask, Visitor]) -> None:
    app, _ = frozen
    operator = visitor(app)
    operator.environ_base["HTTP_AUTHORIZATION"] = "Basic " + b64encode(b"ops:secret").decode()

    took = {}
    for path, status, words in (
        ("/ops/", 200, "the stock cannot be read"),
        ("/ops/rq/", 503, "cannot reach"),
        ("/ops/rq/0/data/queues.json", 503, "cannot reach"),
    ):
        began = time.monotonic()
        answer = operator.get(path)
        took[path] = time.monotonic() - began
        assert (answer.status_code, words in answer.text) == (status, True), path

    assert max(took.values()) < 3, took


def test_a_change_is_refused_in_time_and_what_ran_late_is_undone(
    frozen: tuple[Flask, Visitor], thaw: Callable[[], None]
) -> None:
    app, ann = frozen

    began = time.monotonic()
    answer = ann.add("MUG")
    took = time.monotonic() - began
    thaw()

    assert answer.status_code == 503
    assert took < 3
    assert ann.cart() == {"MUG": 1}
    assert available(app, "MUG") <= 4
    with app.app_context():
        room = take("stockroom")
        for late in room.unfenced.zrange(keys.due("MUG"), 0, -1):
            room.unfenced.zadd(keys.due("MUG"), {late: 1})  # ten minutes later
        repair(room)
        assert verify(room, 5) == []
    assert available(app, "MUG") == 4
