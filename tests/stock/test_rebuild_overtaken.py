"""A rebuild that stands still and loses its lock must not write over the one that came after it."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy.orm import Session

from storefront.core import db
from storefront.stock import rebuild, reservations
from storefront.stock.levels import accounts
from storefront.stock.stockroom import GateClosed, Stockroom


def test_a_rebuild_that_was_overtaken_writes_nothing(
    stocked: Callable[..., Stockroom], monkeypatch: pytest.MonkeyPatch
) -> None:
    room = stocked(MUG=12)
    read_levels = rebuild._levels

    def levels(session: Session) -> Iterator[Any]:
        rows = next(read_levels(session))
        session.rollback()  # as when the server ends the connection of a process that stands still
        on_sqlite = room.engine.dialect.name == "sqlite"
        if on_sqlite:
            db._sqlite_writer.release()  # the one that overtakes is another process
        monkeypatch.setattr(rebuild, "_levels", read_levels)
        room.unfenced.flushall()  # which epoch was tried is forgotten
        rebuild.rebuild(room)
        reservations.reserve(room, shopper="ann", sku="MUG", units=12, reservation_id="one")
        if on_sqlite:
            db._sqlite_writer.acquire()
        yield rows

    monkeypatch.setattr(rebuild, "_levels", levels)
    with pytest.raises(GateClosed):
        rebuild.rebuild(room)

    account = accounts(room, ["MUG"])[0]
    assert (account.available, account.reserved) == (0, 12)
