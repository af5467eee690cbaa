"""The plan: which job runs how often. Data only, read by the clock."""

from dataclasses import dataclass

from workers.queues import EVENTS, QUEUE, SYNC


@dataclass(frozen=True)
class Periodic:
    """A job (dotted path) that runs once in each slot of `every_seconds`, whatever number of clocks there is.

    An urgent one is done by the clock itself where the queue takes no jobs; twice at once must do no harm.
    """

    name: str
    job: str
    every_seconds: float
    urgent: bool = False
    queue: str = QUEUE


PLAN = (
    Periodic("expire-holds", "workers.jobs.expire_holds", 1, urgent=True),
    Periodic("tick-sales", "workers.jobs.tick_sales", 0.5),
    Periodic("repair-stock", "workers.jobs.repair_stock", 5, urgent=True),
    Periodic("mail-waiting-lists", "workers.jobs.mail_waiting_lists", 5),
    Periodic("send-to-erp", "workers.jobs.send_to_erp", 2, queue=SYNC),
    Periodic("read-erp-stock", "workers.jobs.read_erp_stock", 5, queue=SYNC),
    Periodic("note-stock-events", "workers.jobs.note_stock_events", 5, queue=EVENTS),
    Periodic("send-events", "workers.jobs.send_events", 1, queue=EVENTS),
    Periodic("forget-keys", "workers.jobs.forget_keys", 3600),
    Periodic("forget-addresses", "workers.jobs.forget_addresses", 3600),
)
