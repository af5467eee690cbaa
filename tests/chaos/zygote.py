"""A program that has imported the shop and forks its processes: dying and being born again must be cheap.

`python -m tests.chaos.zygote web|jobs PAUSES_FD` reads one JSON order per line and answers with the
new process's id. Nothing is connected before the fork. The new process is a child of whoever runs
the chaos (a subreaper), leads a session of its own, and dies with that runner.
"""

import ctypes
import gc
import json
import os
import random
import runpy
import signal
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

# eventlet's versions of these would start its hub before the fork.
_fork, _read, _write, _close, _waitpid, _pipe = os.fork, os.read, os.write, os.close, os.waitpid, os.pipe

if __name__ == "__main__" and sys.argv[1] == "web":
    import warnings

    warnings.filterwarnings("ignore", message=r"\s*Eventlet is deprecated")
    import eventlet

    eventlet.monkey_patch()

PR_SET_PDEATHSIG = 1


def main(kind: str, pauses_fd: int) -> None:
    """Fork on order until stdin ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _import_all(kind)
    gc.collect()
    gc.freeze()
    print("ready", flush=True)
    for line in sys.stdin:
        print(_fork_away(json.loads(line), pauses_fd), flush=True)


def _import_all(kind: str) -> None:
    """All that a process will need, so that its children find it imported."""
    names = ["psycopg2", "workers.__main__", "workers.clock", "workers.jobs", "tests.chaos.bugs"]
    for name in [*names, "eventlet.hubs.epolls", "eventlet.wsgi"] if kind == "web" else names:
        import_module(name)
    from sqlalchemy.orm import configure_mappers

    from storefront import create_app
    from storefront.core.config import load_settings

    settings = {"DATABASE_URL": "postgresql://nobody@/none", "REDIS_URL": "redis://127.0.0.1:1", "SECRET_KEY": "-"}
    create_app(load_settings({"APP_ENV": "development", **settings}))  # imports what is imported late; connects nothing
    configure_mappers()


def _fork_away(order: dict[str, Any], pauses_fd: int) -> int:
    """Fork twice, so that the grandchild falls to the runner, who can then wait for it."""
    reader, writer = _pipe()
    middle = _fork()
    if middle == 0:
        child = _fork()
        if child:
            _write(writer, str(child).encode())
            os._exit(0)
        _close(reader)
        _close(writer)
        _live(order, pauses_fd)
    _close(writer)
    pid = int(_read(reader, 20))
    _close(reader)
    _waitpid(middle, 0)
    return pid


def _live(order: dict[str, Any], pauses_fd: int) -> None:
    """Be the process that was ordered; never returns."""
    code = 1
    try:
        _settle_in(order)
        from tests.chaos import bugs, points

        points.arm(order["plan"], pauses_fd)
        if order["bug"]:
            bugs.plant(order["bug"])
        _TARGETS[order["kind"]](order)
        code = 0
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 1
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _settle_in(order: dict[str, Any]) -> None:
    os.setsid()
    while os.getppid() != order["runner"]:
        pass  # for the moment that our real parent still lives
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    log = os.open(order["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for target, fd in ((0, nothing), (1, log), (2, log)):
        os.dup2(fd, target)
    os.environ.update(order["environ"])
    random.seed()


def _web(_order: dict[str, Any]) -> None:
    import eventlet

    listen = eventlet.listen
    eventlet.listen = lambda address, **options: listen(("127.0.0.1", address[1]), **options)
    runpy.run_path("wsgi.py", run_name="__main__")


def _worker(_order: dict[str, Any]) -> None:
    import workers.__main__

    workers.__main__.main()


def _clock(_order: dict[str, Any]) -> None:
    import workers.clock

    workers.clock.main()


def _operator(order: dict[str, Any]) -> None:
    """One movement by hand, as `flask stock receive` and `flask stock adjust` make it."""
    from storefront import create_app
    from storefront.core.errors import Refusal
    from storefront.core.tools import take
    from storefront.stock import adjustments

    step, sku, units, reason = order["arguments"]
    with create_app().app_context():
        try:
            getattr(adjustments, step)(take("stockroom"), sku, units, reason)
        except Refusal:
            sys.exit(2)


_TARGETS: dict[str, Callable[[dict[str, Any]], None]] = {
    "web": _web, "worker": _worker, "clock": _clock, "operator": _operator,
}  # fmt: skip


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
