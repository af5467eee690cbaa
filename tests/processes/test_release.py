"""What a platform runs before a release starts: it makes a shop of an empty folder, and does a shop no harm."""

import subprocess
import sys
from pathlib import Path

import pytest
from honcho.environ import parse_procfile

from tests.running import ROOT, RunningShop


@pytest.fixture
def empty(tmp_path: Path) -> RunningShop:
    """A shop without tables whose Redis is not there yet."""
    return RunningShop(tmp_path)


def release(shop: RunningShop) -> subprocess.CompletedProcess[str]:
    command = parse_procfile((ROOT / "Procfile").read_text()).processes["release"]
    return subprocess.run(
        command.replace("flask ", f"{sys.executable} -m flask "),
        shell=True, cwd=ROOT, env=shop.environ, capture_output=True, text=True, timeout=120,
    )  # fmt: skip


def test_the_release_command_makes_a_shop_and_may_be_run_again(empty: RunningShop) -> None:
    with empty.redis:
        empty.environ["REDIS_URL"] = empty.redis.url

        first, again = release(empty), release(empty)

        assert (first.returncode, again.returncode) == (0, 0), first.stderr + again.stderr
        empty.prepare("stock", "verify")
