"""Connections to Redis: by URL, or to the embedded server."""

import atexit
import os
import ssl
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from redis import BlockingConnectionPool, Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from storefront.core.config import Settings
from storefront.core.embedded_redis import EmbeddedRedis

POOL_WAIT_SECONDS = 1.0
CONNECT_SECONDS = 1.0


def connect(
    url: str, *, max_connections: int = 50, socket_timeout: float = 1.0, environ: Mapping[str, str] = os.environ
) -> Redis:
    """A client that decodes answers to str and never repeats a command by itself.

    A repeated command could run twice after a lost answer, so retries are left to the callers,
    who know which calls are idempotent. No connection is made yet.

    url: redis://, rediss://, unix://, valkey:// or valkeys://.
    max_connections: further callers wait up to 1 s for a free one, then get redis.ConnectionError.
    socket_timeout: seconds to wait for an answer; blocking reads need more than they block for.
    """
    url = plain_url(url)
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=max_connections,
        timeout=POOL_WAIT_SECONDS,
        decode_responses=True,
        retry=Retry(NoBackoff(), 0),
        socket_timeout=socket_timeout,
        socket_connect_timeout=CONNECT_SECONDS,
        **tls_options(url, environ),
    )
    return Redis.from_pool(pool)


def plain_url(url: str) -> str:
    """`url` in the spelling that redis-py reads: valkey:// is redis://."""
    return "redis" + url.removeprefix("valkey") if url.startswith("valkey") else url


def tls_options(url: str, environ: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """What redis-py needs beside `url`: Heroku's Redis shows a self-signed certificate, everyone else's is checked."""
    if url.startswith("rediss://") and "DYNO" in environ:
        return {"ssl_cert_reqs": ssl.CERT_NONE, "ssl_check_hostname": False}
    return {}


def redis_url(settings: Settings) -> str:
    """Where Redis is: the URL of the settings, or that of the embedded server, which is then running.

    This process takes part in the embedded server until it ends.
    Raises EmbeddedRedisError where there is neither.
    """
    return settings.redis_url or _embedded(settings.data_dir / "redis").url


@cache
def _embedded(directory: Path) -> EmbeddedRedis:
    server = EmbeddedRedis(directory).start()
    atexit.register(server.close)
    return server
