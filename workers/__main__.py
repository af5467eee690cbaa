"""The worker: `python -m workers` runs the jobs of the shop's queue until SIGTERM."""

from rq import SimpleWorker
from rq.serializers import JSONSerializer

from storefront import create_app
from storefront.core.log import start_logging
from storefront.core.tools import take
from workers.queues import open_queue

WORKER_TTL_SECONDS = 20  # a killed worker is noticed, and its job taken up again, after about a minute
MAINTENANCE_SECONDS = 5


def main() -> None:
    """Work in this very process: our jobs are short, and a fork for each costs more than most of them."""
    start_logging()
    with create_app().app_context():
        redis, queue = open_queue(take("redis_url"))
        SimpleWorker(
            [queue],
            connection=redis,
            serializer=JSONSerializer,
            worker_ttl=WORKER_TTL_SECONDS,
            maintenance_interval=MAINTENANCE_SECONDS,
            log_job_description=False,
        ).work(with_scheduler=True, logging_level="WARNING")


if __name__ == "__main__":
    main()
