"""The RQ queue: JSON only, so that a job in Redis is data and never code."""

from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer

QUEUE = "default"


def open_queue(url: str) -> tuple[Redis, Queue]:
    """A connection for RQ (which wants raw bytes and long blocking reads) and the shop's queue on it."""
    redis = Redis.from_url(url, socket_connect_timeout=2)
    return redis, Queue(QUEUE, connection=redis, serializer=JSONSerializer)
