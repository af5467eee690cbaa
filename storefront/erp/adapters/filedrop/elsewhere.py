"""Stock files that lie elsewhere, because somebody hands them over himself."""

from pathlib import Path

from storefront.erp.adapter import Snapshot, Wanted
from storefront.erp.adapters.filedrop.adapter import FileDrop
from storefront.erp.adapters.filedrop.folder import Entry, LocalFolder
from storefront.erp.adapters.filedrop.names import sequence_of, sidecar_of


class HandedOver(LocalFolder):
    """A stock file, or a folder with some; nothing is made in it, and nothing moved."""

    def __init__(self, path: Path):
        super().__init__(path if path.is_dir() else path.parent)
        self._only = None if path.is_dir() else {path.name, sidecar_of(path.name)}

    def list(self, prefix: str) -> list[Entry]:
        return [entry for entry in super().list(prefix) if self._only is None or entry.name in self._only]

    def archive(self, name: str) -> None:
        pass

    def _make(self) -> None:
        pass


class Elsewhere(FileDrop):
    """A file drop whose stock figures lie elsewhere; its acknowledgements are where they always are."""

    def __init__(self, drop: FileDrop, path: Path):
        super().__init__(drop.folder, drop.capabilities.asynchronous_acks, drop.margin_ms)
        self._figures = FileDrop(HandedOver(path), margin_ms=drop.margin_ms)

    def sequences(self) -> list[int]:
        """The numbers of the stock files there."""
        entries = self._figures.folder.list("stock-")
        return [number for entry in entries if (number := sequence_of("stock", entry.name)) is not None]

    def snapshot(self, wanted: Wanted) -> Snapshot | None:
        return self._figures.snapshot(wanted)
