"""What the shop says about the settings of the Redis it is given."""

from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from redis import Redis

from storefront import create_app, ops
from storefront.core.config import Settings
from storefront.core.embedded_redis import EmbeddedRedis
from storefront.ops.redis_settings import complaints
from tests.cart.shelf import visitor


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Redis]:
    """A Redis of the test's own, whose settings it may change."""
    with EmbeddedRedis(tmp_path / "redis") as server:
        yield Redis.from_url(server.url, decode_responses=True)


def test_the_embedded_server_is_set_as_it_should_be(redis: Redis) -> None:
    assert complaints(redis) == []


def test_an_eviction_policy_that_may_drop_counters_is_named(redis: Redis) -> None:
    redis.config_set("maxmemory-policy", "allkeys-lru")

    assert [line for line in complaints(redis) if "allkeys-lru" in line and "noeviction" in line]


def test_a_server_that_keeps_nothing_is_named(redis: Redis) -> None:
    redis.config_set("appendonly", "no")

    assert [line for line in complaints(redis) if line.startswith("appendonly is off")]


def test_memory_that_is_nearly_full_is_named(redis: Redis) -> None:
    redis.config_set("maxmemory", redis.info("memory")["used_memory"])

    assert [line for line in complaints(redis) if "maxmemory" in line]


@pytest.mark.only_on("sqlite")
def test_the_log_at_the_start_and_the_operators_pages_complain(
    redis: Redis, tmp_path: Path, settings_of: Callable[..., Settings], caplog: pytest.LogCaptureFixture
) -> None:
    redis.config_set("maxmemory-policy", "allkeys-lru")
    url = EmbeddedRedis(tmp_path / "redis").url
    shop = create_app(settings_of(REDIS_URL=url, OPS_PASSWORD="secret"))

    ops.serve(shop, url, redis)
    operator = visitor(shop)
    operator.environ_base["HTTP_AUTHORIZATION"] = "Basic " + b64encode(b"ops:secret").decode()

    assert "allkeys-lru" in caplog.text
    assert "allkeys-lru" in operator.get("/ops/").text
    assert "allkeys-lru" in operator.get("/healthz/ready").text
