"""A process that hands a batch over and is killed in the middle of it: `python -m tests.erp.adapters.tryton.sender`.

Reads the batch's documents from its standard input, and the settings from its environment.
"""

import os
import sys
import tempfile
from pathlib import Path

from storefront.erp.documents import CANCELLED, documents_of
from tests.erp.adapters.tryton.documents import batch_of
from tests.erp.adapters.tryton.house import adapter_of

if __name__ == "__main__":
    batch = batch_of(*documents_of(sys.stdin.read()))
    with tempfile.TemporaryDirectory() as folder:
        adapter = adapter_of(os.environ, Path(folder))
        print(adapter.cancel(batch) if batch.kind == CANCELLED else adapter.submit(batch))
