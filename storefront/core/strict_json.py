"""JSON from outside, read strictly: what no database, Redis or answer of ours could carry is not let in."""

import json
import re
from typing import Any

from flask.json.provider import DefaultJSONProvider

_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")  # escaped, but its backslash is not


class StrictJson(DefaultJSONProvider):
    """Flask's JSON, without the things Python reads although they are no JSON, or are no text."""

    sort_keys = False

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        """Read JSON. Raises ValueError where it is none, and as `check`."""
        try:
            found = super().loads(s, **kwargs)
        except RecursionError as error:
            raise ValueError("nested too deep") from error
        check(found)
        return found


def check(found: Any) -> None:
    """Raise ValueError at what strict JSON cannot say (NaN, bytes, half of a surrogate pair), and at NUL.

    PostgreSQL has no NUL in its texts.
    """
    try:
        text = json.dumps(found, ensure_ascii=False, allow_nan=False)
        text.encode()  # a UnicodeEncodeError is a ValueError
    except (TypeError, RecursionError) as error:
        raise ValueError(str(error)) from error
    if _NUL.search(text):
        raise ValueError("NUL")
