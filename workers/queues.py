"""The RQ queue: JSON only, so that a job in Redis is data and never code."""

from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer

from storefront.core.redis import plain_url, tls_options

QUEUE = "default"
WAIT_SECONDS = 2


def open_queue(url: str) -> tuple[Redis, Queue]:
    """A connection for RQ, which wants raw bytes, and the shop's queue on it. A worker waits longer, as it needs."""
    redis = Redis.from_url(
        plain_url(url), socket_connect_timeout=WAIT_SECONDS, socket_timeout=WAIT_SECONDS, **tls_options(url)
    )
    return redis, Queue(QUEUE, connection=redis, serializer=JSONSerializer)
