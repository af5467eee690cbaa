"""What the shop says about the settings of the Redis it is given."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from storefront.core.embedded_redis import EmbeddedRedis
from storefront.ops.redis_settings import complaints


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
