"""JSON from outside, read strictly: what no database, Redis or answer of ours could carry is not let in."""

import json
from typing import Any

from flask.json.provider import DefaultJSONProvider


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
    """Raise ValueError unless strict JSON can say it: NaN, bytes and half of a surrogate pair it cannot."""
    try:
        json.dumps(found, ensure_ascii=False, allow_nan=False).encode()  # a UnicodeEncodeError is a ValueError
    except (TypeError, RecursionError) as error:
        raise ValueError(str(error)) from error
