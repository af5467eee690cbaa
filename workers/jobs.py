"""The jobs: each fetches its tools, makes one call into the domain and returns what it did, for the dashboard."""

import time
from typing import Any

from storefront.core import idempotency
from storefront.core.db import db
from storefront.core.tools import take
from storefront.erp import delivery, inbound
from storefront.erp.events import stock_words
from storefront.stock import rebuild, repair, reservations
from storefront.waiting_room.tick import tick_all
from storefront.waiting_room.waiting_list import entries, units


def expire_holds() -> dict[str, int]:
    """End the reservations past their deadline and give their units back."""
    return {"expired": reservations.expire_all_due(take("stockroom"))}


def repair_stock() -> dict[str, int | None]:
    """Open the gate if it is closed; finish or undo what dead processes left half-done."""
    room = take("stockroom")
    return {"rebuilt": rebuild.rebuild_if_closed(room), **repair.repair(room)}


def tick_sales() -> dict[str, int]:
    """Open sales on time, let people in, notice "sold out"; how many were let in, by sale."""
    return tick_all(take("stockroom"))


def forget_keys() -> dict[str, int]:
    """Forget the answers of requests whose idempotency keys are older than 48 hours."""
    before_ms = int((time.time() - idempotency.KEPT_SECONDS) * 1000)
    return {"forgotten": idempotency.forget(db.engine, before_ms)}


def mail_waiting_lists() -> dict[str, int]:
    """Write to those on waiting lists whose sale has units again; send what is due, in a shop that sends mail."""
    postman = take("postman")
    if postman is None:
        return {"told": 0, "begun": 0}
    return {"told": units.tell(take("stockroom")), "begun": int(postman.start())}


def forget_addresses() -> dict[str, int]:
    """Forget addresses on waiting lists that nobody confirmed in time, and those that have been told."""
    return {"forgotten": entries.forget_old(take("stockroom"))}


def send_to_erp() -> dict[str, Any]:
    """Send the ERP what is due; hear what it says of what it has."""
    return delivery.deliver(take("exchange")).as_json()


def read_erp_stock() -> dict[str, Any]:
    """Take in what the ERP says of its stock, if there is news."""
    return inbound.read_stock(take("exchange")).as_json()


def note_stock_events() -> dict[str, int]:
    """Note the events that lie in the stock, where somebody listens: what runs low, is out, is back."""
    return {"noted": stock_words.tell_changes(take("stockroom")) if take("events") else 0}


def send_events() -> dict[str, Any]:
    """Send what is due to who listens to events."""
    exchange = take("events")
    return delivery.deliver(exchange).as_json() if exchange else {"batches": 0}
