"""Single cells of a product file: text in, value out, or why not."""

import re
from decimal import Decimal

import nh3

from storefront.catalog.sku import ALLOWED as SKU_ALLOWED
from storefront.catalog.sku import is_sku

PRICE = re.compile(r"[0-9]{1,10}(\.[0-9]{1,2})?")
MOST_UNITS = 1_000_000_000
LONGEST_ADDRESS = 2000  # characters of a URL
HANDLE_FORBIDDEN = re.compile(r"[\s/\\?#%]")


class BadCell(Exception):
    """A cell that cannot be taken: why, and what is allowed."""

    def __init__(self, reason: str, allowed: str):
        super().__init__(reason)
        self.reason = reason
        self.allowed = allowed


def read_handle(text: str) -> str:
    allowed = "1 to 255 printable characters without space, / \\ ? # %"
    handle = text.strip()
    if not handle:
        raise BadCell("is empty", allowed)
    if len(handle) > 255 or not handle.isprintable() or HANDLE_FORBIDDEN.search(handle) or handle in (".", ".."):
        raise BadCell(f"{_shown(handle)} is no handle", allowed)
    return handle


def read_sku(text: str) -> str:
    """The SKU, or "" where the cell is empty and the shop makes one."""
    if text.strip() and not is_sku(text):
        raise BadCell(f"{_shown(text)} is no SKU", SKU_ALLOWED)
    return text.strip()


def read_line(text: str) -> str:
    """One line of text."""
    if len(text.strip()) > 255:
        raise BadCell(f"has {len(text.strip())} characters", "up to 255 characters")
    return text.strip()


def read_title(text: str) -> str:
    if not text.strip():
        raise BadCell("is empty", "1 to 255 characters")
    return read_line(text)


def read_text(text: str) -> str:
    return text.strip()


def read_html(text: str) -> str:
    """HTML without anything that runs or restyles the page; cleaning it again changes nothing."""
    return nh3.clean(text.strip(), url_schemes={"http", "https", "mailto", "tel"}).strip()


def read_tags(text: str) -> list[str]:
    return list(dict.fromkeys(tag.strip() for tag in text.split(",") if tag.strip()))


def read_flag(text: str) -> bool:
    """true or false; an empty cell is true, as in Shopify."""
    words = {"true": True, "false": False, "": True}
    word = text.strip().casefold()
    if word not in words:
        raise BadCell(f"{_shown(text)} is neither true nor false", "true or false")
    return words[word]


def read_status(text: str) -> bool:
    """Whether a product of this Status is for sale."""
    word = text.strip().casefold()
    if word not in ("", "active", "draft", "archived"):
        raise BadCell(f"{_shown(text)} is no status", "active, draft or archived")
    return word in ("", "active")


def read_price(text: str) -> Decimal:
    allowed = "a number from 0 to 9999999999.99 with a point and at most 2 decimals, for example 49.90"
    if not text.strip():
        raise BadCell("is empty", allowed)
    if not PRICE.fullmatch(text.strip()):
        raise BadCell(f"{_shown(text)} is no price", allowed)
    return Decimal(text.strip()).quantize(Decimal("0.01"))


def read_compare_price(text: str) -> Decimal | None:
    return read_price(text) if text.strip() else None


def read_units(text: str) -> int | None:
    """Units, below 0 too; None where the cell is empty."""
    if not text.strip():
        return None
    if not re.fullmatch(r"-?[0-9]{1,10}", text.strip()) or abs(int(text)) > MOST_UNITS:
        raise BadCell(f"{_shown(text)} is no number of units", f"a whole number from 0 to {MOST_UNITS}")
    return int(text)


def read_policy(text: str) -> str:
    policy = text.strip().casefold() or "deny"
    if policy not in ("deny", "continue"):
        raise BadCell(f"{_shown(text)} is no inventory policy", "deny or continue")
    return policy


def read_grams(text: str) -> int:
    if not text.strip():
        return 0
    if not re.fullmatch(r"[0-9]{1,9}(\.0*)?", text.strip()):
        raise BadCell(f"{_shown(text)} is no weight in grams", "a whole number from 0 to 999999999")
    return int(text.strip().partition(".")[0])


def read_weight_unit(text: str) -> str:
    if text.strip() not in ("", "g", "kg", "lb", "oz"):
        raise BadCell(f"{_shown(text)} is no unit of weight", "g, kg, lb or oz")
    return text.strip()


def read_image_url(text: str) -> str | None:
    url = text.strip()
    if not url:
        return None
    own = url.startswith("/") and not url.startswith("//")
    if len(url) > LONGEST_ADDRESS or not url.isprintable() or not (own or re.match(r"https?://[^/\s]", url, re.I)):
        allowed = f"an address of up to {LONGEST_ADDRESS} characters that begins with https://, http:// or /"
        raise BadCell(f"{_shown(url)} is no address of an image", allowed)
    return url


def read_position(text: str) -> int | None:
    if not text.strip():
        return None
    if not re.fullmatch(r"[0-9]{1,6}", text.strip()):
        raise BadCell(f"{_shown(text)} is no position", "a whole number from 1")
    return int(text)


def _shown(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:77] + "…")
