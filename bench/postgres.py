"""A Postgres server for the length of a measurement, if this machine has one."""

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from glob import glob
from pathlib import Path

OWNERS = ("postgres", "nobody")  # it refuses to be run by root


def find_programs() -> Path | None:
    """The folder with initdb and pg_ctl, the newest version first; None where there is none."""
    found = shutil.which("initdb")
    places = sorted(glob("/usr/lib/postgresql/*/bin/initdb"), key=lambda path: int(path.split("/")[4]), reverse=True)
    named = [path for path in (found, *places) if path]
    return Path(named[0]).resolve().parent if named else None


@contextmanager
def running_postgres(programs: Path, folder: Path) -> Iterator[str]:
    """A fresh server on a socket in `folder`; gives the URL of its database."""
    data, log = folder / "data", folder / "log"
    folder.mkdir(mode=0o700)
    as_owner = _give_away(folder)
    _call([*as_owner, str(programs / "initdb"), "-D", str(data), "-A", "trust", "-U", "shop"])
    options = f"-k {folder} -c listen_addresses=''"
    control = [*as_owner, str(programs / "pg_ctl"), "-D", str(data), "-l", str(log), "-w"]
    _call([*control, "-o", options, "start"])
    try:
        yield f"postgresql://shop@/postgres?host={folder}"
    finally:
        _call([*control, "-m", "immediate", "stop"])


def _give_away(folder: Path) -> list[str]:
    """Where root runs this: make another user the owner of `folder`; the words that run a command as that user."""
    if os.getuid() != 0:
        return []
    owner = next(name for name in OWNERS if _exists(name))
    shutil.chown(folder, owner)
    return ["setpriv", "--init-groups", f"--reuid={owner}", f"--regid={pwd.getpwnam(owner).pw_gid}"]


def _exists(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True


def _call(words: list[str]) -> None:
    done = subprocess.run(words, cwd="/", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)} failed:\n{done.stdout}")
