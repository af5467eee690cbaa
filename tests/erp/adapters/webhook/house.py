"""The house of an ERP that is reached by webhook: its server, its books, and the adapter to it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from storefront.core.config import load_settings
from storefront.erp.adapter import Adapter, BookedLine
from storefront.erp.adapters import open_adapter
from tests.erp.adapters.webhook.receiver import Receiver

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@dataclass
class House:
    """environ: the settings by which any process reaches this ERP. receiver: its server, which may be told to fail."""

    environ: dict[str, str]
    adapter: Adapter
    receiver: Receiver

    def work(self) -> None:
        """Let the ERP do its part, once."""
        self.receiver.book.work()

    def set_stock(self, units: Mapping[str, int]) -> None:
        self.receiver.book.set_stock(units)

    def stock(self) -> dict[str, int]:
        """What it would promise, by its own books."""
        return self.receiver.book.promisable()

    def booked(self) -> list[BookedLine]:
        return [
            BookedLine(**{**line, "unit_price": Decimal(line["unit_price"])}) for line in self.receiver.book.booked()
        ]


@contextmanager
def open_house(folder: Path) -> Iterator[House]:
    """An ERP with empty books in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    with Receiver(folder / "erp.db", SECRET) as receiver:
        environ = {
            "ERP_ADAPTER": "webhook",
            "ERP_WEBHOOK_URL": receiver.url,
            "ERP_WEBHOOK_SECRET": SECRET,
            "ERP_WEBHOOK_SECONDS": "1",
        }
        yield House(environ, adapter_of(environ, folder), receiver)


def adapter_of(environ: Mapping[str, str], folder: Path) -> Adapter:
    """The adapter as a shop in development opens it."""
    return open_adapter(load_settings({"DATA_DIR": str(folder), "APP_ENV": "development", **environ}))
