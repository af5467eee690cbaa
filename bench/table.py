"""Results as a table of text."""

import math
from collections.abc import Sequence


def print_table(title: str, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print `rows` under `header`, the first column to the left, the others to the right."""
    cells = [[str(cell) for cell in row] for row in (header, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [line_of(row, widths) for row in cells]
    print("", title, lines[0], "-" * len(lines[0]), *lines[1:], sep="\n", flush=True)


def line_of(row: Sequence[str], widths: Sequence[int]) -> str:
    left, *right = zip(row, widths, strict=True)
    return "  ".join([left[0].ljust(left[1]), *(cell.rjust(width) for cell, width in right)])


def percentile(values: Sequence[float], percent: float) -> float:
    """The nearest-rank percentile: the smallest value that at least `percent` % of the values do not exceed."""
    return sorted(values)[max(0, math.ceil(len(values) * percent / 100) - 1)]
