"""Health: alive, and ready to be sent visitors."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask

from storefront import create_app
from storefront.core.config import Settings
from storefront.core.embedded_redis import EmbeddedRedis
from storefront.core.tools import keep, take
from storefront.stock.rebuild import rebuild
from storefront.stock.stockroom import Stockroom
from tests.cart.shelf import visitor


def test_a_shop_whose_parts_all_answer_is_ready(app: Flask) -> None:
    answer = visitor(app).get("/healthz/ready")

    assert answer.status_code == 200
    assert set(answer.get_json()["checks"].values()) == {"ok"}


def test_a_closed_gate_is_not_ready_and_opens_by_itself(app: Flask, room: Stockroom) -> None:
    room.unfenced.flushall()

    first = visitor(app).get("/healthz/ready")
    deadline = time.monotonic() + 5
    while visitor(app).get("/healthz/ready").status_code != 200:
        assert time.monotonic() < deadline
        time.sleep(0.02)

    assert first.status_code == 503
    assert "rebuilt" in first.get_json()["checks"]["stock"]


def test_a_process_that_has_gone_deaf_is_not_ready(app: Flask) -> None:
    class Deaf:
        hearing = False

    keep(app, "relay", Deaf)

    answer = visitor(app).get("/healthz/ready")

    assert answer.status_code == 503
    assert answer.get_json()["checks"]["relay"] != "ok"


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[EmbeddedRedis]:
    """A Redis that the test may take away."""
    with EmbeddedRedis(tmp_path / "own-redis") as server:
        yield server


@pytest.fixture
def own_app(settings_of: Callable[..., Settings], own_redis: EmbeddedRedis) -> Flask:
    """A shop on `own_redis`, its gate open."""
    app = create_app(settings_of(REDIS_URL=own_redis.url))
    with app.app_context():
        rebuild(take("stockroom"))
    return app


def test_without_redis_it_is_alive_and_not_ready_and_says_what_is_wrong(
    own_app: Flask, own_redis: EmbeddedRedis
) -> None:
    own_redis.close()

    began = time.monotonic()
    alive, ready = visitor(own_app).get("/healthz/live"), visitor(own_app).get("/healthz/ready")

    assert alive.status_code == 200
    assert ready.status_code == 503
    assert ready.get_json()["checks"] | {"stock": ""} == {"database": "ok", "stock": "", "relay": "ok"}
    assert "ConnectionError" in ready.get_json()["checks"]["stock"]
    assert time.monotonic() - began < 3


@pytest.mark.parametrize("name, value, words", [
    ("maxmemory", 1, "maxmemory"), ("min-replicas-to-write", 1, "replicas"),
])  # fmt: skip
def test_a_redis_that_takes_no_changes_is_not_ready_and_says_why(
    app: Flask, room: Stockroom, name: str, value: int, words: str
) -> None:
    room.unfenced.config_set(name, value)
    try:
        answer = visitor(app).get("/healthz/ready")
    finally:
        room.unfenced.config_set(name, 0)

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert words in answer.get_json()["checks"]["stock"]
    assert visitor(app).get("/healthz/ready").status_code == 200


def test_without_a_database_it_says_so(app: Flask, settings_of: Callable[..., Settings], tmp_path: Path) -> None:
    empty = create_app(settings_of(DATABASE_URL=f"sqlite:///{tmp_path / 'missing' / 'shop.db'}"))

    answer = visitor(empty).get("/healthz/ready")

    assert answer.status_code == 503
    assert "database" in answer.get_json()["checks"]["database"]
