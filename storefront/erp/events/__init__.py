"""Outgoing events: what has happened in the shop, told to whoever listens at EVENTS_URL; docs/erp/events.md."""

from flask import Flask

from storefront.core.config import Reader, Settings
from storefront.core.db import db
from storefront.core.tools import keep, take
from storefront.erp.events.adapter import EventsAdapter
from storefront.erp.events.rows import CHANNEL, EventRows
from storefront.erp.exchange import Exchange
from storefront.erp.signed_calls import read_calls


def init_app(app: Flask, settings: Settings) -> None:
    """Write events and keep the exchange that sends them ("events"), where EVENTS_URL says who listens.

    Raises SettingsError.
    """
    adapter = open_events(settings)
    keep(
        app, "events", lambda: adapter and Exchange(take("stockroom"), adapter, CHANNEL, batch_size=1, batch_seconds=0)
    )
    if adapter:
        with app.app_context():
            rows = EventRows(db.engine)
        rows.connect()
        app.extensions["event_rows"] = rows  # signals do not keep whom they tell


def open_events(settings: Settings) -> EventsAdapter | None:
    """The way to who listens, as EVENTS_… say; None where nobody does. Raises SettingsError."""
    if not settings.erp_environ.get("EVENTS_URL", "").strip():
        return None
    read = Reader(settings.erp_environ)
    calls = read_calls(read, "EVENTS", settings.development)
    read.refuse()
    return EventsAdapter(calls)
