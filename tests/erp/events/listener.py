"""Somebody who listens to events: a real HTTP server that checks the signature by itself and keeps what it hears."""

from argparse import ArgumentParser
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.erp.adapters.webhook.receiver import Receiver

SECRET = "a-secret-between-us"
PATH = "/hooks/shop"


class Listener(Receiver):
    """It can be told to fail, as the receiver of an ERP."""

    def __init__(self, folder: Path, secret: str = SECRET, port: int = 0):
        super().__init__(folder / "listener.db", secret, port)
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


def main() -> None:
    """By hand: print what is heard."""
    parser = ArgumentParser(description="Somebody who listens to the events of a shop.")
    parser.add_argument("--port", type=int, default=8901)
    parser.add_argument("--secret", default=SECRET)
    given = parser.parse_args()
    with TemporaryDirectory() as folder, Listener(Path(folder), given.secret, given.port) as listener:
        print(f"EVENTS_URL={listener.url}{PATH}", flush=True)
        while not listener.closing.wait(0.2):
            while listener.heard:
                print(listener.heard.pop(0), flush=True)


if __name__ == "__main__":
    main()
