"""Times as clients read them."""

from datetime import UTC, datetime
from functools import lru_cache


def iso(at_ms: int) -> str:
    """A time in ms since 1970 as ISO 8601 in UTC."""
    seconds, ms = divmod(at_ms, 1000)
    return f"{_iso_without_ms(seconds)}.{ms:03}Z"


@lru_cache(maxsize=1024)  # what is told of together has often happened within the same second
def _iso_without_ms(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()[: len("2026-01-01T00:00:00")]
