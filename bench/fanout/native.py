"""The C programs of this measurement, compiled when it starts."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

SOURCES = Path(__file__).with_name("native")
VIEWERS = ("viewers.c", "viewer.c", "changes.c", "tally.c", "net.c")
FLOOR = ("floor.c", "net.c")


@dataclass(frozen=True)
class Programs:
    viewers: Path
    floor: Path


def compile_all(folder: Path) -> Programs:
    return Programs(_compile(folder / "viewers", VIEWERS), _compile(folder / "floor", FLOOR))


def _compile(program: Path, sources: tuple[str, ...]) -> Path:
    subprocess.run(["cc", "-O2", "-o", program, *(SOURCES / name for name in sources), "-lm"], check=True)
    return program
