"""The folder through which files go: one interface, and the local one. `sftp.py` has the other."""

import os
import secrets
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

ARCHIVE = "archive"
DRAFT_ENDING = ".part"  # with the dot at its start no `orders-*.csv` matches a draft


@dataclass(frozen=True)
class Entry:
    """A file of the folder."""

    name: str
    size: int  # bytes
    modified_ms: int


class Unconfirmed(OSError):
    """A file may have been put, or not, or may not be on disk yet."""


class Folder(Protocol):
    """What the adapter needs of a folder. All calls raise OSError; a PermissionError is about who we are."""

    where: str  # for people; without a password

    def list(self, prefix: str) -> list[Entry]:
        """The files whose names begin with `prefix`, by name."""

    def find(self, name: str) -> bytes | None:
        """The content of a file, in the folder or in its archive; None where there is none."""

    def read(self, name: str) -> bytes:
        """The content of a file in the folder."""

    def put(self, files: Mapping[str, bytes]) -> None:
        """Let files appear whole, one after the other; on disk once this returns, those put before by another too.

        Raises FileExistsError where one of them is there (it is never overwritten, and those behind it are not put),
        and Unconfirmed.
        """

    def archive(self, name: str) -> None:
        """Move a file to the archive, beside those of the same name that lie there. One that is gone is fine."""

    def clear_drafts(self, before_ms: int) -> None:
        """Remove what senders that were killed have left half-written, last touched before `before_ms`."""


def draft_name(name: str) -> str:
    """A name under which `name` can be written, unlike any other."""
    return f".{name}.{secrets.token_hex(8)}{DRAFT_ENDING}"


def archived_name(name: str, number: int) -> str:
    """The name of the `number`th file called `name` in the archive: a.csv, a.2.csv, a.3.csv …"""
    stem, dot, ending = name.rpartition(".")
    return name if number == 1 else f"{stem}.{number}{dot}{ending}"


class LocalFolder:
    """A folder on this machine, or mounted on it. It is made, with its archive, when it is first used."""

    def __init__(self, path: Path):
        self.where = str(path)

    def list(self, prefix: str) -> list[Entry]:
        self._make()
        found = []
        with os.scandir(self.where) as entries:
            for entry in entries:
                if entry.name.startswith(prefix):
                    found += _described(entry)
        return sorted(found, key=lambda one: one.name)

    def find(self, name: str) -> bytes | None:
        for place in (self._path(name), self._path(ARCHIVE, name)):
            try:
                return _content(place)
            except FileNotFoundError:
                pass
        return None

    def read(self, name: str) -> bytes:
        return _content(self._path(name))

    def put(self, files: Mapping[str, bytes]) -> None:
        self._make()
        drafts = {name: self._path(draft_name(name)) for name in files}
        try:
            _write({drafts[name]: data for name, data in files.items()})
            for name, draft in drafts.items():
                os.link(draft, self._path(name))  # unlike a rename it fails where the name is taken
        finally:
            for draft in drafts.values():
                _remove(draft)
        _sync_folder(self.where)

    def archive(self, name: str) -> None:
        self._make()
        source, number = self._path(name), 1
        while True:
            target = self._path(ARCHIVE, archived_name(name, number))
            try:
                os.link(source, target)
            except FileExistsError:
                if not _same(source, target):  # the same: whoever moved it was killed before the last step
                    number += 1
                    continue
            except FileNotFoundError:
                return
            _remove(source)
            return

    def clear_drafts(self, before_ms: int) -> None:
        for entry in self.list("."):
            if entry.name.endswith(DRAFT_ENDING) and entry.modified_ms < before_ms:
                _remove(self._path(entry.name))

    def _path(self, *names: str) -> str:
        return os.path.join(self.where, *names)

    def _make(self) -> None:
        os.makedirs(self._path(ARCHIVE), exist_ok=True)


def _described(entry: "os.DirEntry[str]") -> list[Entry]:
    try:
        found = entry.stat()
    except FileNotFoundError:  # it has been moved while we looked
        return []
    return [Entry(entry.name, found.st_size, found.st_mtime_ns // 1_000_000)] if entry.is_file() else []


def _content(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _write(files: Mapping[str, bytes]) -> None:
    """Write new files, and wait until they are on disk: all of them at once, which takes it less time."""
    with ExitStack() as stack:
        opened = [stack.enter_context(open(path, "xb")) for path in files]
        for file, data in zip(opened, files.values(), strict=True):
            file.write(data)
        for file in opened:
            file.flush()
            os.fsync(file.fileno())


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


def _same(one: str, other: str) -> bool:
    try:
        return os.path.samefile(one, other)
    except FileNotFoundError:
        return False


def _sync_folder(path: str) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    except OSError as error:
        raise Unconfirmed(*error.args) from error
    finally:
        os.close(handle)
