"""Drain: a backlog goes through the delivery into the file drop, beside bare writers of the very same files.

The goal (issue 6) is half the rate of a bare CSV writer that fsyncs the same files.
"""

import gc
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bench.erp import bare
from bench.erp.backlog import add_orders, open_exchange
from bench.erp.bare import Files
from bench.table import print_table
from storefront.core.embedded_redis import EmbeddedRedis
from storefront.erp import delivery
from storefront.erp.exchange import Exchange
from storefront.erp.models import BufferRow
from storefront.orders.models import OrderLine
from tests.postgres import PostgresMissing, PostgresServer

ORDERS, ROUNDS = 10_000, 5
QUICK_ORDERS, QUICK_ROUNDS = 2_000, 3
GOAL = 0.5


@dataclass
class Round:
    """Seconds that the same orders took: through the delivery, and by the two bare writers."""

    delivered: float = 0.0
    formatted: float = 0.0
    copied: float = 0.0


def main(folder: Path, quick: bool) -> None:
    """Measure on SQLite, and on Postgres where there is one; print."""
    orders, rounds = (QUICK_ORDERS, QUICK_ROUNDS) if quick else (ORDERS, ROUNDS)
    with ExitStack() as stack:
        redis = stack.enter_context(EmbeddedRedis(folder / "redis"))
        report("SQLite", orders, [measure(folder / f"sqlite-{n}", redis, orders) for n in range(rounds)])
        try:
            server = stack.enter_context(PostgresServer(durable=True))
        except PostgresMissing as missing:
            print(f"\nPostgres was left out: {missing}")
            return
        report(
            "Postgres",
            orders,
            [measure(folder / f"postgres-{n}", redis, orders, server.url(server.create())) for n in range(rounds)],
        )


def measure(folder: Path, redis: EmbeddedRedis, orders: int, database_url: str = "") -> Round:
    """One backlog drained in turns as the job takes them, and each turn's files written anew by both bare writers."""
    took = Round()
    written: list[Files] = []
    with open_exchange(folder, redis, database_url) as exchange:
        add_orders(exchange.room.engine, orders)
        gc.collect()
        gc.freeze()  # as the worker does
        while len(written) * exchange.batch_size < orders:
            took.delivered += seconds_of(lambda: deliver_some(exchange))
            fresh = bare.read_files(folder / "erp", len(written))
            took.formatted += write_by(bare.write_formatted, fresh, folder / "formatted")
            took.copied += write_by(bare.write_copied, fresh, folder / "copied")
            written += fresh
        check(exchange, written, orders)
    return took


def deliver_some(exchange: Exchange) -> None:
    done = delivery.deliver(exchange)
    assert done.batches and not done.error, done


def seconds_of(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def write_by(writer: Callable[[Sequence[Files], Path], None], batches: Sequence[Files], folder: Path) -> float:
    """How long a bare writer takes; what it wrote is compared, byte by byte."""
    folder.mkdir(exist_ok=True)
    seconds = seconds_of(lambda: writer(batches, folder))
    for one in batches:
        beside = (folder / one.name).with_suffix(".json")
        assert (folder / one.name).read_bytes() == one.table, f"{one.name} is another"
        assert beside.read_bytes() == one.totals, f"{beside.name} is another"
    return seconds


def check(exchange: Exchange, batches: Sequence[Files], orders: int) -> None:
    """Each order is in the files once, line by line; no number is missing; all rows are accepted."""
    names = [f"orders-{number:06d}.csv" for number in range(1, len(batches) + 1)]
    assert [one.name for one in batches] == names, "the sequence has a gap"
    written = [row[:4] for one in batches for row in one.rows[1:]]
    with Session(exchange.room.engine) as session:
        line = OrderLine
        sold = session.execute(select(line.order_id, line.line, line.sku, line.quantity))
        assert sorted(written) == sorted(map(tuple, sold)), "the files are not the orders"
        by_state = select(BufferRow.state, func.count()).group_by(BufferRow.state)
        states = {state: count for state, count in session.execute(by_state)}
    assert states == {"accepted": orders}, f"not all are accepted: {states}"


def report(database: str, orders: int, rounds: Sequence[Round]) -> None:
    kinds = {
        "delivery into the file drop": [one.delivered for one in rounds],
        "bare writer, formats by csv.writer": [one.formatted for one in rounds],
        "bare writer, bytes from memory": [one.copied for one in rounds],
    }
    rows = [
        [kind, f"{orders / median(took):.0f}", f"{orders / max(took):.0f}", f"{orders / min(took):.0f}"]
        for kind, took in kinds.items()
    ]
    title = f"Draining {orders} orders, batches of 50, {database}: orders a second, {len(rounds)} rounds"
    print_table(title, ["", "median", "lowest", "highest"], rows)
    for peer, shares in (
        (f"bare CSV writer (goal {GOAL})", [one.formatted / one.delivered for one in rounds]),
        ("bytes from memory", [one.copied / one.delivered for one in rounds]),
    ):
        print(f"delivery / {peer}: {median(shares):.2f} ({min(shares):.2f} to {max(shares):.2f})", flush=True)
