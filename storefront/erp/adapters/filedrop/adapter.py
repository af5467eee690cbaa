"""The file drop as an adapter: which file is put, read, or put away, and when it is an alarm."""

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256

from storefront.erp.adapter import (
    Ack,
    Batch,
    BatchHead,
    BatchRejected,
    BookedLine,
    Capabilities,
    ErpAlarm,
    ErpAmbiguous,
    ErpAuthFailed,
    ErpError,
    ErpUnavailable,
    Outcome,
    Problem,
    Result,
    Snapshot,
    Wanted,
)
from storefront.erp.adapters.filedrop.acks import read_ack
from storefront.erp.adapters.filedrop.booked_file import read_booked
from storefront.erp.adapters.filedrop.folder import Entry, Folder, Unconfirmed
from storefront.erp.adapters.filedrop.names import name_of, sequence_of, sidecar_of
from storefront.erp.adapters.filedrop.orders_file import write_orders
from storefront.erp.adapters.filedrop.stock_file import read_stock
from storefront.erp.adapters.filedrop.table import Damaged, Unfinished

LARGEST_FILE = 50_000_000  # bytes
UNFINISHED_MS = 10_000  # a file that is not whole may be in the making for so long
ACKNOWLEDGED_MS = 600_000  # so long a batch and its acknowledgement stay in sight; by then its marks are surely made
DRAFT_MS = 3_600_000  # no sender writes at one file for so long
SENDERS_AT_ONCE = 3  # how often another sender may come between before we leave it to him


class FileDrop:
    """An ERP that reads and writes CSV files in a folder. See docs/erp/filedrop.md for the files."""

    name = "filedrop"

    def __init__(self, folder: Folder, acknowledged: bool = True, margin_ms: int = 60_000):
        self.folder = folder
        self.sent: Outcome = "accepted" if acknowledged else "applied"
        self.margin_ms = margin_ms
        self.capabilities = Capabilities(
            max_batch=1000,
            can_look_up=False,
            stock="promisable",
            watermark="batch_sequence",
            asynchronous_acks=acknowledged,
            in_order=True,
        )

    def health(self) -> str:
        with self._at_work():
            waiting = [one for one in self.folder.list("orders-") if sequence_of("orders", one.name) is not None]
            self.folder.put({})
        return f"{self.folder.where}: {len(waiting)} order files in it"

    def submit(self, batch: Batch) -> Sequence[Result]:
        return self.submit_several([batch])[0]

    cancel = submit

    def submit_several(self, batches: Sequence[Batch]) -> Sequence[Sequence[Result]]:
        files: dict[str, bytes] = {}
        for batch in batches:
            name = name_of("orders", batch.sequence)
            table, totals = write_orders(batch)
            files |= {sidecar_of(name): totals, name: table}  # totals come first: who sees a file can check it
        with self._at_work():
            was_there = self._put(files)
            return [self._results(batch, was_there) for batch in batches]

    def lookup(self, keys: Sequence[str]) -> Mapping[str, Result]:
        return {}

    def poll_acks(self, waiting: Sequence[BatchHead]) -> Sequence[Ack]:
        heads = {head.sequence: head for head in waiting}
        acks = []
        with self._at_work():
            self.folder.clear_drafts(_now_ms() - DRAFT_MS)
            for entry in self.folder.list("ack-"):
                head = heads.get(sequence_of("ack", entry.name) or 0)
                if head is not None:
                    acks.append(self._ack(entry, head))
                elif entry.modified_ms < _now_ms() - ACKNOWLEDGED_MS:
                    self._put_away(entry.name)
        return [ack for ack in acks if ack is not None]

    def snapshot(self, wanted: Wanted) -> Snapshot | None:
        with self._at_work():
            newer = self._newer(wanted)
            missing = self._missing(newer, wanted)
            if missing:
                newer = self._newer(wanted)  # a listing may pass over what was put while it was made
                missing = self._missing(newer, wanted)
            if missing:
                raise ErpAlarm(f"{missing}; the next that is there is {newer[0].name}")
            return self._snapshot(newer[0], wanted) if newer else None

    def changed_skus(self, since_ms: int) -> Collection[str] | None:
        return None

    def booked(self) -> Iterator[BookedLine]:
        with self._at_work():
            entries = _numbered(self.folder.list("booked-"), "booked")
            if not entries:
                raise ErpUnavailable(f"{self.folder.where}: the ERP has put no booked-….csv there")
            newest = entries[-1]
            try:
                yield from read_booked(self._content(newest))
            except Damaged as damaged:
                raise _error_for(newest, damaged) from damaged
            for entry in entries[:-1]:
                self.folder.archive(entry.name)

    def _put(self, files: Mapping[str, bytes]) -> bool:
        """Put what is not there yet; return whether all of it was."""
        for _ in range(SENDERS_AT_ONCE):
            missing = {name: data for name, data in files.items() if not self._is_there(name, data)}
            try:
                self.folder.put(missing)
                return not missing
            except FileExistsError:  # another sender has been quicker: with the same, or it is an alarm
                continue
        raise ErpUnavailable(f"{self.folder.where}: another sender writes some of {', '.join(files)} right now")

    def _is_there(self, name: str, data: bytes) -> bool:
        """Whether this very content was put before. Raises ErpAlarm where it was another."""
        found = self.folder.find(name)
        if found is None or found == data:
            return found is not None
        hashes = f"SHA-256 {sha256(found).hexdigest()}, not {sha256(data).hexdigest()}"
        raise ErpAlarm(f"{name}: there is one of another content ({hashes}); nothing is overwritten")

    def _results(self, batch: Batch, was_there: bool) -> Sequence[Result]:
        told = self._early_ack(batch) if was_there else {}
        name = name_of("orders", batch.sequence)
        return [told.get(one.key) or Result(one.key, self.sent, name) for one in batch.documents]

    def _early_ack(self, batch: Batch) -> dict[str, Result]:
        """What was said of a batch that was sent before, by a sender who did not live to hear it; put away, perhaps."""
        name = name_of("ack", batch.sequence)
        data = self.folder.find(name)
        ack = None if data is None else read_ack(name, data, batch)
        if ack and ack.refused is not None:
            raise BatchRejected(ack.refused)
        return {one.key: one for one in ack.results} if ack else {}

    def _ack(self, entry: Entry, head: BatchHead) -> Ack | None:
        if entry.size > LARGEST_FILE:
            return Ack(head.sequence, problems=[Problem(entry.name, None, "", _too_large(entry))])
        return read_ack(entry.name, self.folder.read(entry.name), head)

    def _put_away(self, ack: str) -> None:
        """Archive an acknowledgement and what it is about; itself last, so that a kill in between leaves no rest."""
        orders = name_of("orders", sequence_of("ack", ack) or 0)
        for name in (orders, sidecar_of(orders), ack):
            self.folder.archive(name)

    def _newer(self, wanted: Wanted) -> list[Entry]:
        """The stock files that were not taken in yet, by number; the others are put away."""
        newer = []
        for entry in _numbered(self.folder.list("stock-"), "stock"):
            sequence = sequence_of("stock", entry.name) or 0
            if sequence > wanted.last_sequence:
                newer.append(entry)
                continue
            if sequence == wanted.last_sequence:
                self._check_repeated(entry, wanted)
            self.folder.archive(entry.name)
            self.folder.archive(sidecar_of(entry.name))
        return newer

    def _check_repeated(self, entry: Entry, wanted: Wanted) -> None:
        found = sha256(self._content(entry)).hexdigest()
        if found != wanted.last_hash:
            taken = f"another file of this number was taken in: SHA-256 {wanted.last_hash}, this one has {found}"
            raise ErpAlarm(f"{entry.name}: {taken}")

    def _missing(self, newer: list[Entry], wanted: Wanted) -> str:
        """What is missing before the next file, for people; empty where nothing is, or nobody minds."""
        last = wanted.last_sequence
        if not newer or not last or wanted.accept_gap:
            return ""
        first = sequence_of("stock", newer[0].name) or 0
        gap = [name_of("stock", sequence) for sequence in (last + 1, first - 1)]
        if first == last + 1:
            return ""
        return f"{gap[0]} is missing" if gap[0] == gap[1] else f"{gap[0]} to {gap[1]} are missing"

    def _snapshot(self, entry: Entry, wanted: Wanted) -> Snapshot | None:
        sidecar = self._sidecar(entry)
        try:
            return read_stock(
                entry.name,
                sequence_of("stock", entry.name) or 0,
                self._content(entry),
                sidecar,
                wanted.skus,
                entry.modified_ms,
                self.margin_ms,
            )
        except Damaged as damaged:
            error = _error_for(entry, damaged)
            if isinstance(error, ErpUnavailable):
                return None  # it is simply not there yet
            raise error from damaged

    def _sidecar(self, entry: Entry) -> bytes | None:
        beside = [one for one in self.folder.list(sidecar_of(entry.name)) if one.name == sidecar_of(entry.name)]
        return self._content(beside[0]) if beside else None

    def _content(self, entry: Entry) -> bytes:
        if entry.size > LARGEST_FILE:
            raise ErpAlarm(f"{entry.name}: {_too_large(entry)}")
        return self.folder.read(entry.name)

    @contextmanager
    def _at_work(self) -> Iterator[None]:
        """What goes wrong with the folder, in the interface's words."""
        try:
            yield
        except PermissionError as error:
            raise ErpAuthFailed(f"{self.folder.where}: {error}") from error
        except Unconfirmed as error:
            raise ErpAmbiguous(f"{self.folder.where}: {error}") from error
        except OSError as error:
            raise ErpUnavailable(f"{self.folder.where}: {error}") from error


def _numbered(entries: list[Entry], what: str) -> list[Entry]:
    """The CSV files among them, by number."""
    named = [entry for entry in entries if sequence_of(what, entry.name) is not None]
    return sorted(named, key=lambda entry: sequence_of(what, entry.name) or 0)


def _error_for(entry: Entry, damaged: Damaged) -> ErpError:
    """An alarm, unless the file is so young that somebody may still be writing it."""
    if isinstance(damaged, Unfinished) and entry.modified_ms > _now_ms() - UNFINISHED_MS:
        return ErpUnavailable(f"{damaged.tell(entry.name)}; it may be in the making")
    return ErpAlarm(damaged.tell(entry.name))


def _too_large(entry: Entry) -> str:
    return f"has {entry.size} bytes; one of more than {LARGEST_FILE} is not read"


def _now_ms() -> int:
    return int(time.time() * 1000)
