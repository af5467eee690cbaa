"""The clock: enqueues the periodic jobs, each once per slot.

The id of a job names its slot, and an id can be enqueued once; so any number of clocks may run.
Slots are counted by Redis' clock, on which all of them agree.
"""

import logging
import signal
import threading
from collections.abc import Sequence

from redis import Redis
from redis.exceptions import ResponseError
from rq import Queue
from rq.exceptions import DuplicateJobError
from rq.utils import import_attribute

from storefront import create_app
from storefront.core.errors import in_a_line
from storefront.core.log import start_logging
from storefront.core.tools import take
from workers.plan import PLAN, Periodic
from workers.queues import EVENTS, open_queue, queue_on

BEAT_SECONDS = 0.1
PAUSE_SECONDS = 1.0
LATE_SECONDS = 5  # a job not begun by then makes room for the next slot

log = logging.getLogger("workers.clock")


def tick(redis: Redis, queue: Queue, last: dict[str, int], plan: Sequence[Periodic] = PLAN) -> None:
    """Enqueue each job of `plan` whose slot has changed since `last` (name -> slot, updated).

    Jobs go to the queues of the plan, by the connection of `queue`.
    """
    whole, microseconds = redis.time()
    seconds = whole + microseconds / 1_000_000
    for periodic in plan:
        slot = int(seconds / periodic.every_seconds)
        if last.get(periodic.name) != slot:
            try:
                _enqueue(queue_on(queue.connection, periodic.queue), periodic, slot)
            except ResponseError as refusal:  # Redis is full, or read-only
                _do_without_queue(periodic, refusal)
            last[periodic.name] = slot


def _do_without_queue(periodic: Periodic, refusal: ResponseError) -> None:
    """Holds have to expire in a full Redis too, or it would stay full."""
    log.warning("the queue does not take %s: %s", periodic.name, in_a_line(refusal))
    if periodic.urgent:
        import_attribute(periodic.job)()


def _enqueue(queue: Queue, periodic: Periodic, slot: int) -> None:
    try:
        queue.enqueue(
            periodic.job,
            job_id=f"{periodic.name}-{slot}",
            unique=True,
            ttl=LATE_SECONDS,
            result_ttl=30,
            failure_ttl=3600,
            description=periodic.name,
        )
    except DuplicateJobError:
        return  # another clock was first


def main() -> None:
    """Beat until SIGTERM or SIGINT; a Redis that is away is waited for."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    start_logging()
    with create_app().app_context():
        redis, queue = open_queue(take("redis_url"))
        last: dict[str, int] = {}
        plan = [periodic for periodic in PLAN if periodic.queue != EVENTS or take("events")]  # else nobody listens
        while not stop.wait(BEAT_SECONDS):
            try:
                tick(redis, queue, last, plan)
            except Exception:  # whatever it was, the next beat may do better
                log.exception("the clock missed a beat")
                stop.wait(PAUSE_SECONDS)


if __name__ == "__main__":
    main()
