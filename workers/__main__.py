"""The worker: `python -m workers` runs the jobs of the shop's queues until SIGTERM.

What talks to others over the network has queues of its own and a thread for each: however slow an ERP is, holds
expire on time, and however slow who listens to events is, the ERP hears of orders.
"""

import gc
import logging
import signal
import sys
import threading
import time
from contextlib import suppress
from types import FrameType
from typing import Any

from flask import Flask
from redis.client import Pipeline
from redis.exceptions import RedisError
from rq import SimpleWorker
from rq.exceptions import StopRequested
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.timeouts import BaseDeathPenalty
from rq.worker import WorkerStatus

from storefront import create_app
from storefront.core.errors import in_a_line, is_outage
from storefront.core.log import start_logging
from storefront.core.tools import take
from workers.queues import EVENTS, QUEUE, SYNC, open_queue

WORKER_TTL_SECONDS = 20  # a killed worker is noticed, and its job taken up again, after about a minute
MAINTENANCE_SECONDS = 5
PAUSE_SECONDS = 1.0

log = logging.getLogger("workers")


class Worker(SimpleWorker):
    """Works in this very process: our jobs are short, and a fork for each costs more than most of them.

    RQ's own gives up at most of Redis' errors; this one is made anew then, see `main`.
    """

    dequeue_timeout = 2  # seconds; the next is longer
    connection_timeout = 3
    max_connection_wait_time = 2.0  # RQ: a minute, in which no hold would expire though Redis is back
    asked_to_stop = False  # all of this process: one may be asked that has given up, before the next is there

    def request_stop(self, signum: int, frame: FrameType | None) -> None:
        Worker.asked_to_stop = True
        super().request_stop(signum, frame)

    def heartbeat(self, timeout: int | None = None, pipeline: Pipeline | None = None) -> None:
        """Stop between jobs if that was asked: what RQ's signal handler raises may be caught by whoever it hits."""
        if self.asked_to_stop and self.get_state() != WorkerStatus.BUSY:
            raise StopRequested
        super().heartbeat(timeout, pipeline)

    def subscribe(self) -> None:
        """Take no commands over Redis: nobody sends any, and RQ's listener does not outlive a Redis that is away."""

    def handle_exception(self, job: Job, *exc_info: Any) -> None:
        """Tell an outage in a line; it is in the dashboard all the same."""
        if is_outage(exc_info[1]):
            log.error("job %s failed: %s", job.id, in_a_line(exc_info[1]))
        else:
            super().handle_exception(job, *exc_info)


class _NoPenalty(BaseDeathPenalty):
    """A signal cannot end a job in a thread; the jobs of that queue keep to limits of their own."""

    def setup_death_penalty(self) -> None:
        pass

    def cancel_death_penalty(self) -> None:
        pass


class ThreadWorker(Worker):
    """Works in a thread beside the worker of the process, which alone hears signals."""

    death_penalty_class = _NoPenalty

    def _install_signal_handlers(self) -> None:
        pass


def hire(kind: type[Worker] = Worker, name: str = QUEUE) -> Worker:
    """A worker of a queue. Raises redis' errors."""
    redis, queue = open_queue(take("redis_url"), name)
    return kind(
        [queue],
        connection=redis,
        serializer=JSONSerializer,
        worker_ttl=WORKER_TTL_SECONDS,
        maintenance_interval=MAINTENANCE_SECONDS,
        log_job_description=False,
    )


def work(kind: type[Worker] = Worker, name: str = QUEUE) -> None:
    """Work until asked to stop, whatever becomes of Redis."""
    while True:
        try:
            hire(kind, name).work(logging_level="WARNING")
        except RedisError as error:
            log.warning("Redis does not let us work, trying again: %s", in_a_line(error))
        if Worker.asked_to_stop:
            return
        time.sleep(PAUSE_SECONDS)


def work_beside(app: Flask, name: str) -> None:
    """Work on a queue of what talks to others for as long as the process lives; killed anywhere, it does no harm."""
    with app.app_context():
        work(ThreadWorker, name)


def main() -> None:
    """Work, whatever becomes of Redis, until SIGTERM or SIGINT."""
    start_logging()
    app = create_app()
    gc.freeze()  # what stays for good need not be looked at again: a backlog is drained faster by a sixth
    with app.app_context():
        queues = (SYNC, EVENTS) if take("events") else (SYNC,)
    for name in queues:
        threading.Thread(target=work_beside, args=(app, name), name=name, daemon=True).start()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit())  # RQ puts its own in their place once it works
    with app.app_context(), suppress(StopRequested):  # from RQ's, between two workers
        work()


if __name__ == "__main__":
    main()
