"""A shop that does nothing but wait for PostgreSQL, on the app's own engine; in place of shop.py."""

import os
import threading
import time

from flask import Flask
from flask_socketio import SocketIO
from sqlalchemy import text

from storefront.core import db
from storefront.core.config import load_settings

TICK_SECONDS = 0.01


class Ticker:
    """Counts while its thread gets its turn."""

    def __init__(self) -> None:
        self.ticks = 0
        threading.Thread(target=self._tick, daemon=True).start()

    def _tick(self) -> None:
        while True:
            time.sleep(TICK_SECONDS)
            self.ticks += 1


def create_app(serving: bool = False) -> Flask:
    app = Flask(__name__)
    app.extensions["settings"] = settings = load_settings()
    SocketIO(app, async_mode=settings.async_mode)
    db.init_app(app, settings.database_url)
    ticker = Ticker()

    @app.get("/healthz/ready")
    def ready() -> str:
        return str(os.getpid())

    @app.get("/wait")
    def wait() -> list[int]:
        began = ticker.ticks
        with db.db.engine.connect() as connection:
            connection.execute(text("SELECT pg_sleep(1)"))
        return [began, ticker.ticks]

    return app
