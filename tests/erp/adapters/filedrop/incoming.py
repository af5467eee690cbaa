"""Files that an ERP puts into the drop."""

import os
from pathlib import Path


class Erp:
    """Puts files into the drop as an ERP would, `seconds` ago."""

    def __init__(self, drop: Path):
        self.drop = drop

    def put(self, name: str, content: str | bytes, seconds: float = 60) -> Path:
        self.drop.mkdir(exist_ok=True)
        path = self.drop / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        os.utime(path, (path.stat().st_mtime - seconds,) * 2)
        return path
