"""Text in cells that people open with a spreadsheet."""

FORMULA_STARTS = frozenset("=+-@\t\r")


def starts_formula(text: str) -> bool:
    """Whether a spreadsheet would take this for a formula, and run it."""
    return text[:1] in FORMULA_STARTS


def escape(text: str) -> str:
    """The text with an apostrophe before what would be a formula (OWASP, "CSV injection")."""
    return f"'{text}" if text[:1] in FORMULA_STARTS else text


def unescape(text: str) -> str:
    """The text that was escaped."""
    return text[1:] if text.startswith("'") and starts_formula(text[1:]) else text
