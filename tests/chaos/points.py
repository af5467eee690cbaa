"""Named points of the protocol at which a process can end or freeze: wrapped around the product from outside."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import wraps
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.orm import Session

# The order is that of the exit codes, see `exit_code`.
POINTS = (
    "reserve taken, not journalled",
    "journal before its commit",
    "journal committed, not answered",
    "release committed, not settled",
    "shrink committed, not settled",
    "expiry committed, not settled",
    "sweep between two slices",
    "repair committed, not settled",
    "order not begun",
    "order before its commit",
    "order committed, not settled",
    "order settled, not answered",
    "movement committed, not told",
    "rebuild begun, not read",
    "rebuild read, not written",
    "rebuild before its commit",
    "rebuild committed, scripts not loaded",
    "bug: between Redis and SQL",
)
_REBUILD = POINTS[13:17]
WEB = (*POINTS[:5], *POINTS[8:13], *_REBUILD * 2)  # drawn more often, for they are passed less often
WORKER = (*POINTS[5:8], "movement committed, not told", *_REBUILD)
NAMED = POINTS[:-1]  # those of the product
_FIRST_CODE = 100
PASSES_BETWEEN_PAUSES = 25


def exit_code(point: str) -> int:
    """The code with which a process ends at `point`."""
    return _FIRST_CODE + POINTS.index(point)


def point_of(code: int) -> str | None:
    """The point at which a process ended, by its exit code."""
    return POINTS[code - _FIRST_CODE] if 0 <= code - _FIRST_CODE < len(POINTS) else None


@dataclass
class _Plan:
    """What is to happen in this process: at the `after`-th pass of `point`, exit or pause."""

    point: str = ""
    after: int = 1
    pause: bool = False
    pauses_fd: int = -1
    passes: int = field(default=0)


_plan = _Plan()


def reach(point: str) -> None:
    """Pass `point`; here the process may end at once, or stop until somebody continues it."""
    if not point or point != _plan.point:
        return
    _plan.passes += 1
    if _plan.passes < _plan.after or (_plan.passes - _plan.after) % PASSES_BETWEEN_PAUSES:
        return
    if not _plan.pause:
        os._exit(exit_code(point))
    os.write(_plan.pauses_fd, f"{os.getpid()}\n".encode())
    os.kill(os.getpid(), signal.SIGSTOP)


def arm(plan: dict[str, Any], pauses_fd: int) -> None:
    """Wrap the product's functions and follow `plan` ({"point", "after", "pause"}, or empty) in this process."""
    global _plan
    _plan = _Plan(**plan, pauses_fd=pauses_fd)
    if plan:
        _wrap_stock()
        _wrap_orders()


def _wrap_stock() -> None:
    from storefront.stock import journal, ledger, rebuild, repair, reservations, settlement

    _after(reservations, "_take", "reserve taken, not journalled", when=lambda grant: getattr(grant, "fresh", False))
    _before_commit(journal, "journal before its commit")
    _after(reservations, "_journal", "journal committed, not answered")
    _before_called_by(
        reservations,
        "settle_all",
        release="release committed, not settled",
        shrink="shrink committed, not settled",
        expire="expiry committed, not settled",
    )
    _after(reservations, "expire_due", "sweep between two slices", when=bool)
    for owner in (settlement, repair):
        _before(owner, "settle_all", "repair committed, not settled")
    _before(ledger, "_replay", "movement committed, not told")
    _before(rebuild, "_load", "rebuild begun, not read")
    _before_each(rebuild, "_levels", "rebuild read, not written")
    _after(rebuild, "_load", "rebuild before its commit")
    _before(rebuild, "_open", "rebuild committed, scripts not loaded")


def _wrap_orders() -> None:
    from storefront.orders import checkout

    _before(checkout, "_sell", "order not begun")
    _before_commit(checkout, "order before its commit")
    _before(checkout, "settle_all", "order committed, not settled")
    _after(checkout, "settle_all", "order settled, not answered")


def _before(owner: Any, name: str, point: str) -> None:
    original = getattr(owner, name)

    @wraps(original)
    def wrapped(*arguments: Any, **named: Any) -> Any:
        reach(point)
        return original(*arguments, **named)

    setattr(owner, name, wrapped)


def _before_called_by(owner: Any, name: str, **points: str) -> None:
    """As `_before`, where the point depends on which function of `owner` is calling."""
    original = getattr(owner, name)
    for caller in points:
        getattr(owner, caller)  # raises where it is called otherwise now

    @wraps(original)
    def wrapped(*arguments: Any, **named: Any) -> Any:
        reach(points.get(sys._getframe(1).f_code.co_name, ""))
        return original(*arguments, **named)

    setattr(owner, name, wrapped)


def _after(owner: Any, name: str, point: str, when: Callable[[Any], bool] = lambda result: True) -> None:
    original = getattr(owner, name)

    @wraps(original)
    def wrapped(*arguments: Any, **named: Any) -> Any:
        result = original(*arguments, **named)
        if when(result):
            reach(point)
        return result

    setattr(owner, name, wrapped)


def _before_each(owner: Any, name: str, point: str) -> None:
    """Pass `point` before each thing that a generator yields."""
    original = getattr(owner, name)

    @wraps(original)
    def wrapped(*arguments: Any, **named: Any) -> Iterator[Any]:
        for one in original(*arguments, **named):
            reach(point)
            yield one

    setattr(owner, name, wrapped)


def _before_commit(owner: Any, point: str) -> None:
    original: Callable[[Engine], AbstractContextManager[Session]] = owner.transaction

    @contextmanager
    def wrapped(engine: Engine) -> Iterator[Session]:
        with original(engine) as session:
            yield session
            session.flush()
            reach(point)

    owner.transaction = wrapped
