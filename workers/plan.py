"""The plan: which job runs how often. Data only, read by the clock."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Periodic:
    """A job (dotted path) that runs once in each slot of `every_seconds`, whatever number of clocks there is."""

    name: str
    job: str
    every_seconds: int


PLAN = (
    Periodic("expire-holds", "workers.jobs.expire_holds", 1),
    Periodic("repair-stock", "workers.jobs.repair_stock", 5),
    Periodic("forget-keys", "workers.jobs.forget_keys", 3600),
)
