"""Connections to Redis: by URL, or to the embedded server."""

import atexit
import os
import ssl
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from redis import BlockingConnectionPool, Connection, Redis, SSLConnection, UnixDomainSocketConnection
from redis.backoff import NoBackoff
from redis.connection import AbstractConnection
from redis.maint_notifications import MaintNotificationsConfig
from redis.retry import Retry

from storefront.core.config import Settings
from storefront.core.deadline import seconds_left
from storefront.core.embedded_redis import EmbeddedRedis

POOL_WAIT_SECONDS = 1.0
CONNECT_SECONDS = 1.0


class _Bounded(AbstractConnection):
    """A connection that waits no longer than the request it works for may (see deadline.py)."""

    @property
    def socket_connect_timeout(self) -> float:
        return seconds_left(CONNECT_SECONDS)

    @socket_connect_timeout.setter
    def socket_connect_timeout(self, seconds: float | None) -> None:
        pass

    def read_response(self, *arguments: Any, **options: Any) -> Any:
        if self.socket_timeout is not None:
            options.setdefault("timeout", seconds_left(self.socket_timeout))
        return super().read_response(*arguments, **options)


class _Tcp(_Bounded, Connection): ...


class _Tls(_Bounded, SSLConnection): ...


class _Unix(_Bounded, UnixDomainSocketConnection): ...


_BOUNDED: dict[type, type] = {Connection: _Tcp, SSLConnection: _Tls, UnixDomainSocketConnection: _Unix}


class _Pool(BlockingConnectionPool):
    """A pool of bounded connections, for which nobody waits longer than his request may either."""

    @property
    def timeout(self) -> float:
        return seconds_left(POOL_WAIT_SECONDS)

    @timeout.setter
    def timeout(self, seconds: float) -> None:
        pass


def connect(
    url: str, *, max_connections: int = 50, socket_timeout: float = 1.0, environ: Mapping[str, str] = os.environ
) -> Redis:
    """A client that decodes answers to str and never repeats a command by itself.

    A repeated command could run twice after a lost answer, so retries are left to the callers,
    who know which calls are idempotent. Nor does it keep a request waiting past its deadline.
    No connection is made yet.

    url: redis://, rediss://, unix://, valkey:// or valkeys://.
    max_connections: further callers wait up to 1 s for a free one, then get redis.ConnectionError.
    socket_timeout: seconds to wait for an answer; blocking reads need more than they block for.
    """
    url = plain_url(url)
    pool = _Pool.from_url(
        url,
        max_connections=max_connections,
        decode_responses=True,
        retry=Retry(NoBackoff(), 0),
        socket_timeout=socket_timeout,
        driver_info=None,  # this and the next: two questions less before a connection can be used
        maint_notifications_config=MaintNotificationsConfig(enabled=False),
        **tls_options(url, environ),
    )
    pool.connection_class = _BOUNDED[pool.connection_class]
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
