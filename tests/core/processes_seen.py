"""What tests look at from outside: processes that are there or gone."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

PROJECT_ROOT = Path(__file__).resolve().parents[2]
STUB_SHOP = Path(__file__).with_name("stub_shop")


def wait_until(happened: Callable[[], object], seconds: float = 60.0) -> None:
    """Return once `happened()` is true; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.05)


def processes_with(text: str) -> dict[int, str]:
    """Process id and command line of every running process whose command line contains `text`."""
    listed = subprocess.run(["ps", "-axww", "-o", "pid=,stat=,args="], capture_output=True, text=True, check=True)
    rows = (line.split(maxsplit=2) for line in listed.stdout.splitlines() if text in line)
    return {int(pid): args for pid, stat, args in rows if "Z" not in stat}


def end(process: "subprocess.Popen[str]") -> None:
    """Kill `process` if it still runs and forget it."""
    process.kill()
    process.wait()
    if process.stdout:
        process.stdout.close()


def make_bare_core(folder: Path) -> Path:
    """A scratch project in `folder` that has storefront/core alone, which is imported 20 times as fast as the shop."""
    shutil.copytree(PROJECT_ROOT / "storefront" / "core", folder / "storefront" / "core")
    return folder


def make_stub_shop(folder: Path, shop: str = "shop.py") -> Path:
    """A scratch project in `folder`: the real wsgi.py and storefront/core around the smallest shop."""
    make_bare_core(folder)
    shutil.copy(STUB_SHOP / shop, folder / "storefront" / "__init__.py")
    shutil.copy(STUB_SHOP / "Procfile", folder)
    shutil.copy(PROJECT_ROOT / "wsgi.py", folder)
    return folder


def start(folder: Path, *words: str, **environ: str) -> "subprocess.Popen[str]":
    """Start `python words` in `folder`, with nothing of this process' own settings."""
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return subprocess.Popen(
        [sys.executable, *words],
        cwd=folder,
        env={**inherited, **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
