"""What an import has to say about the rows of a file."""

from collections.abc import Iterable
from dataclasses import dataclass, field


class UnusableFile(Exception):
    """The file as a whole cannot be read; the message says where and why."""


@dataclass(frozen=True, order=True)
class Finding:
    """Something about one cell: the line its row begins on (1 = the header), the column, why, what is allowed."""

    line: int
    column: str
    reason: str
    allowed: str = ""

    def __str__(self) -> str:
        allowed = f" Allowed: {self.allowed}." if self.allowed else ""
        return f"line {self.line}, {self.column}: {self.reason}.{allowed}"


@dataclass
class Findings:
    """Errors (their rows are refused) and warnings (their rows go in)."""

    errors: list[Finding] = field(default_factory=list)
    warnings: list[Finding] = field(default_factory=list)
    refused_lines: set[int] = field(default_factory=set)

    def refuse(self, line: int, column: str, reason: str, allowed: str = "") -> None:
        self.errors.append(Finding(line, column, reason, allowed))
        self.refused_lines.add(line)

    def refuse_product(self, slug: str, lines: Iterable[int]) -> None:
        """The first row of a product is refused, and with it the rows that inherit from it."""
        first, *others = lines
        with_it = f"; with it go {len(others)} further rows (lines {others[0]} to {others[-1]})" if others else ""
        self.errors.append(
            Finding(first, "Handle", f"the product {slug!r} is skipped, its first row is refused{with_it}")
        )
        self.refused_lines.update((first, *others))

    def warn(self, line: int, column: str, reason: str) -> None:
        self.warnings.append(Finding(line, column, reason))
