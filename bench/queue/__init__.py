"""Queue: a sale with a million people before it, 2,000 of them on real sockets, until the last unit is sold.

One web process on a core of its own, real worker and clock. The crowd joins through the code that the
routes call, gathered; some leave, some do not show up, the others buy.
"""


def main(words: list[str] | None = None) -> None:
    """Measure joining over HTTP, then a whole sale; `--people N` and `--viewers N` make it smaller."""
    from bench.queue.joining import measure_joining  # not sooner: crowd.py patches before it imports anything
    from bench.queue.simulation import simulate

    measure_joining()
    simulate(words or [])
