"""The names of the files."""

import re


def name_of(what: str, sequence: int, ending: str = "csv") -> str:
    """orders-000017.csv"""
    return f"{what}-{sequence:06d}.{ending}"


def sequence_of(what: str, name: str) -> int | None:
    """The number in the name of a CSV file; None where the name is another."""
    found = re.fullmatch(rf"{what}-([0-9]{{1,15}})\.csv", name)
    return int(found[1]) if found else None


def sidecar_of(name: str) -> str:
    """The JSON file beside a CSV file."""
    return name.removesuffix(".csv") + ".json"
