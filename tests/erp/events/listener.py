"""Somebody who listens to events: a real HTTP server that checks the signature by itself and keeps what it hears."""

from pathlib import Path
from typing import Any

from tests.erp.adapters.webhook.receiver import Receiver

SECRET = "a-secret-between-us"
PATH = "/hooks/shop"


class Listener(Receiver):
    """It can be told to fail, as the receiver of an ERP."""

    def __init__(self, folder: Path):
        super().__init__(folder / "listener.db", SECRET)
        self.heard: list[Any] = []

    def answer(self, path: str, asked: dict[str, Any]) -> dict[str, Any]:
        assert path == PATH
        self.heard.append(asked)
        return {}

    @property
    def environ(self) -> dict[str, str]:
        """The settings of a shop that tells it."""
        return {"EVENTS_URL": self.url + PATH, "EVENTS_SECRET": SECRET, "EVENTS_SECONDS": "1"}

    def topics(self) -> list[str]:
        return [event["type"] for event in self.heard]
