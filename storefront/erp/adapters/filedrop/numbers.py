"""Numbers in cells."""

import re
from decimal import Decimal

MOST = 1_000_000_000


class NoNumber(ValueError):
    """A cell is not what it has to be; the message says what it is."""


def whole_number(text: str, lowest: int = -MOST) -> int:
    """A whole number up to a thousand million. `1.000` is none: nobody knows whether it means 1 or 1000."""
    cell = text.strip()
    if not cell:
        raise NoNumber("is empty")
    if not re.fullmatch(r"-?[0-9]{1,10}", cell) or not lowest <= int(cell) <= MOST:
        words = "is a formula, not a number" if cell.startswith(("=", "+", "@")) else "is no whole number"
        raise NoNumber(f"{_shown(cell)} {words} from {lowest} to {MOST}")
    return int(cell)


def money(text: str) -> Decimal:
    """A decimal amount with a point."""
    cell = text.strip()
    if not re.fullmatch(r"-?[0-9]{1,12}(\.[0-9]{1,6})?", cell):
        raise NoNumber(f"{_shown(cell)} is no amount such as 49.90")
    return Decimal(cell)


def _shown(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:77] + "…")
