"""Fields of an answer, each with the place where it stands (a JSON pointer, RFC 6901), so that a wrong one is named."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from storefront.erp.signed_calls import read_object

MISSING = object()
LONGEST_SHOWN = 80


class NotAgreed(Exception):
    """A field is not as agreed; the message begins with its pointer."""

    def __init__(self, pointer: str, words: str):
        super().__init__(f"{pointer}: {words}")
        self.pointer, self.words = pointer, words


@dataclass(frozen=True)
class Field:
    """A value, and where it stands. Everything that reads it raises NotAgreed where it is something else."""

    pointer: str
    value: Any

    def __getitem__(self, name: str) -> "Field":
        if not isinstance(self.value, dict):
            raise self.wrong("is no object")
        return self._below(name, self.value.get(name, MISSING))

    def _below(self, name: str, value: Any) -> "Field":
        return Field(f"{self.pointer}/{name.replace('~', '~0').replace('/', '~1')}", value)

    def __iter__(self) -> Iterator["Field"]:
        """The items of a list."""
        if not isinstance(self.value, list):
            raise self.wrong("is no list")
        return (Field(f"{self.pointer}/{number}", one) for number, one in enumerate(self.value))

    def members(self) -> Iterator[tuple[str, "Field"]]:
        """The names and values of an object."""
        if not isinstance(self.value, dict):
            raise self.wrong("is no object")
        return ((name, self._below(name, one)) for name, one in self.value.items())

    def text(self, default: str | None = None) -> str:
        if self.value is MISSING and default is not None:
            return default
        if not isinstance(self.value, str):
            raise self.wrong("is no text")
        return self.value

    def whole(self, low: int, high: int) -> int:
        """A whole number, written as one: 12.0 is none, and neither are "12" and true."""
        if type(self.value) is not int or not low <= self.value <= high:
            raise self.wrong(f"is no whole number from {low} to {high}")
        return self.value

    def amount(self) -> Decimal:
        """An amount of money, as decimal text."""
        try:
            amount = Decimal(self.text())
        except InvalidOperation:
            amount = Decimal("NaN")
        if not amount.is_finite():
            raise self.wrong("is no amount")
        return amount

    def time_ms(self) -> int:
        """A time with its zone (ISO 8601), in ms since 1970."""
        try:
            time = datetime.fromisoformat(self.text())
        except ValueError:
            raise self.wrong("is no time") from None
        if time.tzinfo is None:
            raise self.wrong("is a time without a zone")
        return round(time.timestamp() * 1000)

    def wrong(self, words: str) -> NotAgreed:
        words = "is missing" if self.value is MISSING else f"{self.shown()} {words}"
        return NotAgreed(self.pointer or "the answer", words)

    def shown(self) -> str:
        """The value as it came, in ASCII, not endless."""
        return json.dumps(self.value)[:LONGEST_SHOWN]


def opened(body: bytes) -> Field:
    """The answer as a whole. Raises NotAgreed where it is no JSON object."""
    try:
        return Field("", read_object(body))
    except ValueError as error:
        raise NotAgreed("the answer", f"cannot be read: {error}") from error
