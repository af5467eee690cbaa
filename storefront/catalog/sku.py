"""SKUs: which are valid, and how one is made for a variant that has none."""

import re
import unicodedata
from collections.abc import Callable, Iterable

LONGEST = 64
ALLOWED = "1 to 64 printable characters without { } and without a space at either end"


def is_sku(text: str) -> bool:
    """Whether `text` can be a SKU; braces would cut a Redis key into slots."""
    return 1 <= len(text) <= LONGEST and text.isprintable() and text == text.strip() and not set("{}") & set(text)


def plain_sku(handle: str, option_values: Iterable[str]) -> str:
    """The SKU made of a handle and option values: CLASSIC-VARSITY-TOP-SMALL."""
    words = unicodedata.normalize("NFKD", " ".join((handle, *option_values)))
    plain = "".join(sign for sign in words if not unicodedata.combining(sign))
    # Words of another script have no plain letters; without them all their SKUs would be one.
    foreign = any(sign.isalnum() and not sign.isascii() for sign in plain)
    kept = unicodedata.normalize("NFC", words) if foreign else plain
    return _cut(re.sub(r"[\W_]+", "-", kept.upper()).strip("-") or "SKU", LONGEST)


def free_sku(plain: str, is_taken: Callable[[str], bool]) -> str:
    """`plain`, or with the first number from 2 behind it that is not taken."""
    sku, number = plain, 1
    while is_taken(sku):
        number += 1
        suffix = f"-{number}"
        sku = _cut(plain, LONGEST - len(suffix)) + suffix
    return sku


def _cut(sku: str, length: int) -> str:
    return sku[:length].rstrip("-")
