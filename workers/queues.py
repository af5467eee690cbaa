"""The RQ queues: JSON only, so that a job in Redis is data and never code."""

from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer

from storefront.core.redis import plain_url, tls_options

QUEUE = "default"
SYNC = "sync"  # jobs that talk to the ERP over the network, and may take their time
EVENTS = "events"  # and those that talk to who listens to events
WAIT_SECONDS = 2


def open_queue(url: str, name: str = QUEUE) -> tuple[Redis, Queue]:
    """A connection for RQ, which wants raw bytes, and a queue on it. A worker waits longer, as it needs."""
    redis = Redis.from_url(
        plain_url(url), socket_connect_timeout=WAIT_SECONDS, socket_timeout=WAIT_SECONDS, **tls_options(url)
    )
    return redis, queue_on(redis, name)


def queue_on(redis: Redis, name: str) -> Queue:
    """A queue of this name on a connection that was made for RQ."""
    return Queue(name, connection=redis, serializer=JSONSerializer)
