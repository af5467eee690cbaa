"""Rows of levels are locked in one order everywhere, whatever the database's own idea of the alphabet."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from storefront.core.db import transaction
from storefront.stock import adjustments, intake
from storefront.stock.rebuild import rebuild
from storefront.stock.stockroom import Stockroom
from tests.live.conftest import wait_until

pytestmark = pytest.mark.only_on("postgres")  # SQLite locks all at once

TAKE = text("UPDATE stock_levels SET committed = committed + 1 WHERE sku = :sku")
WAITS = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
FIRST, SECOND = "B", "a"  # so Python sorts them, and so orders lock them; in most languages a comes first


def take_in(room: Stockroom) -> None:
    """As an import does that sets the stock."""
    with transaction(room.engine) as session:
        intake.take_in(room, session, {FIRST: 9, SECOND: 9}, set_stock=True)


@pytest.mark.parametrize("lock_all", [rebuild, take_in])
def test_who_locks_many_levels_and_an_order_do_not_deadlock(
    stocked: Callable[..., Stockroom], lock_all: Callable[[Stockroom], object]
) -> None:
    room = stocked(**{FIRST: 5, SECOND: 5})
    for sku in (FIRST, SECOND):
        adjustments.set_limit(room, sku, 3)

    with ThreadPoolExecutor() as threads, transaction(room.engine) as order:
        order.execute(TAKE, {"sku": FIRST})
        done = threads.submit(lock_all, room)
        wait_until(lambda: order.scalar(WAITS))
        order.execute(TAKE, {"sku": SECOND})
        order.commit()

    assert done.exception() is None
