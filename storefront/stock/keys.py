"""Every Redis key and channel of the stock, made in one place.

The keys of one SKU share a hash slot (the part in braces), so one script may use them all.
"""

from collections.abc import Sequence

CHANNEL = "stock"  # every change: {"sku","available","version","epoch","at_ms"}; after a rebuild: {"rebuilt": epoch}
EPOCH = "stock:epoch"  # string: the epoch of the last finished rebuild; absent while one is needed
EPOCH_TRIED = "stock:epoch_tried"  # string: the epoch of the last rebuild that began, finished or not
REPAIRED_AT = "stock:repaired_at"  # string, ms: up to where a repair has looked or a rebuild has read everything


def level(sku: str) -> str:
    """Hash: available, version, epoch, number (last movement applied), limit (units per shopper) and sale (whose
    shoppers alone may reserve it); both may be absent."""
    return f"stock:{{{sku}}}:level"


def holds(sku: str) -> str:
    """Hash: reservation id -> "units:time of the grant in ms:shopper"."""
    return f"stock:{{{sku}}}:holds"


def due(sku: str) -> str:
    """Sorted set: reservation id by its deadline in ms."""
    return f"stock:{{{sku}}}:due"


def held(sku: str) -> str:
    """Hash: shopper -> units in live reservations."""
    return f"stock:{{{sku}}}:held"


def bought(sku: str) -> str:
    """Hash: shopper -> units ordered and not cancelled; kept only for SKUs with a limit."""
    return f"stock:{{{sku}}}:bought"


def of(sku: str) -> Sequence[str]:
    """All keys of a SKU, in the order in which the scripts take them."""
    return level(sku), holds(sku), due(sku), held(sku), bought(sku)
