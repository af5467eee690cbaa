"""A process that hands documents over and may be killed in the middle of it; forked from one that has all imported."""

import multiprocessing
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from storefront.erp.documents import CANCELLED, PLACED, Document, content_of, documents_of, encode
from tests.erp.adapters.tryton.documents import batch_of
from tests.erp.adapters.tryton.house import adapter_of

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload([__name__])


def sender_of(environ: Mapping[str, str], orders: Sequence[Document]) -> multiprocessing.process.BaseProcess:
    """A process, not started yet, that hands orders over with these settings."""
    return FORKS.Process(target=hand_over, args=(dict(environ), content_of(map(encode, orders))))


def hand_over(environ: dict[str, str], content: str) -> None:
    batch = batch_of(*documents_of(PLACED, content))
    with tempfile.TemporaryDirectory() as folder:
        adapter = adapter_of(environ, Path(folder))
        (adapter.cancel if batch.kind == CANCELLED else adapter.submit)(batch)
