"""How words are compared in a search: without case, accents and signs that nobody types."""

import unicodedata

LONGEST_SEARCH = 200  # characters


def fold(text: str) -> str:
    """`text` as it is searched: "Crème  BRÛLÉE" becomes "creme brulee".

    The database does not do this: SQLite's LIKE knows the case of ASCII letters only, Postgres' is exact.
    """
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(sign for sign in decomposed if not unicodedata.combining(sign))
    return " ".join("".join(sign if sign.isprintable() else " " for sign in plain).split())
