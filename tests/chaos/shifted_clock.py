"""A wall clock for Redis that can jump, where the machine has a C compiler to make one."""

import os
import shutil
import struct
import subprocess
from pathlib import Path

SOURCE = Path(__file__).with_name("clock_shift.c")


class ShiftedClock:
    """The library to preload and the file that says how far the clock is off; Redis starts with `environ`."""

    def __init__(self, folder: Path):
        self._file = folder / "clock-shift"
        self._seconds = 0
        self._file.write_bytes(bytes(8))
        library = folder / "clock_shift.so"
        compiler = shutil.which("cc")
        self.available = bool(compiler) and _compile(str(compiler), library)
        self.environ = dict(os.environ)
        if self.available:
            self.environ |= {"LD_PRELOAD": str(library), "CLOCK_SHIFT_FILE": str(self._file)}

    def jump(self, seconds: int) -> None:
        """Move the clock, for a server that is running too."""
        self._seconds += seconds
        with self._file.open("r+b", buffering=0) as file:
            file.write(struct.pack("=q", self._seconds * 1_000_000))


def _compile(compiler: str, library: Path) -> bool:
    command = [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(SOURCE)]
    return subprocess.run(command, capture_output=True).returncode == 0
