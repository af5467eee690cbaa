"""A shop that tells events, and who listens to them."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from storefront import create_app
from storefront.core.config import Settings
from storefront.core.db import db
from storefront.core.tools import take
from storefront.erp import delivery
from storefront.stock.rebuild import rebuild
from storefront.stock.stockroom import Stockroom
from tests.erp.events.listener import Listener


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[Listener]:
    with Listener(tmp_path) as listener:
        yield listener


@pytest.fixture
def app(settings_of: Callable[..., Settings], listener: Listener) -> Iterator[Flask]:
    """A fresh shop that tells `listener`, inside an app context."""
    app = create_app(settings_of(**listener.environ))
    with app.app_context():
        room = take("stockroom")
        room.unfenced.flushall()
        rebuild(room)
        yield app
        db.engine.dispose()


@pytest.fixture
def room(app: Flask) -> Stockroom:
    return take("stockroom")


@pytest.fixture
def send(app: Flask) -> Callable[[], dict[str, Any]]:
    """Send what is due, as the job does."""
    return lambda: delivery.deliver(take("events"), now=True).as_json()
