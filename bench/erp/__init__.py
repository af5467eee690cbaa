"""ERP: how fast a backlog of orders is drained into the file drop, and what shoppers feel while the ERP is down."""

import tempfile
from pathlib import Path

QUICK = "--quick"


def main(words: list[str] | None = None) -> None:
    """Measure and print; `--quick` takes fewer orders and shorter blocks."""
    from bench.erp import drain, outage  # not sooner: they bring the whole shop

    quick = QUICK in (words or [])
    with tempfile.TemporaryDirectory(prefix="stockbeat-bench-") as folder:
        drain.main(Path(folder), quick)
        outage.main(Path(folder), quick)
