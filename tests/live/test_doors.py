"""How many live lines may be open, and what one too many hears."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from storefront.live.counts import counts
from storefront.live.doors import KEEP_OPEN, Doors, TooManyLines, TooManyLinesFromYou


class Caller:
    """Calls an application behind doors as a server does."""

    def __init__(self, doors: Doors, application: Callable[..., Iterable[bytes]]):
        self._application = doors.guard(application)
        self.status = ""
        self.headers: dict[str, str] = {}

    def _start(self, status: str, headers: list[tuple[str, str]]) -> None:
        self.status, self.headers = status, dict(headers)

    def call(self, path: str = "/live/stock", address: str = "1.2.3.4") -> Any:
        return self._application({"PATH_INFO": path, "REMOTE_ADDR": address}, self._start)


def still(_environ: dict[str, Any], _start_response: Any) -> Iterable[bytes]:
    """An answer that goes on."""
    while True:
        yield b"beat"


def broken(_environ: dict[str, Any], _start_response: Any) -> Iterable[bytes]:
    raise RuntimeError


def test_one_too_many_is_refused_until_somebody_leaves() -> None:
    doors = Doors(most=2, most_of_address=2)
    leave = doors.enter("1.1.1.1")
    doors.enter("2.2.2.2")

    with pytest.raises(TooManyLines):
        doors.enter("3.3.3.3")
    leave()

    doors.enter("3.3.3.3")
    assert doors.open == 2


def test_one_address_cannot_take_all_of_them() -> None:
    doors = Doors(most=10, most_of_address=2)
    for _ in range(2):
        doors.enter("1.1.1.1")

    with pytest.raises(TooManyLinesFromYou):
        doors.enter("1.1.1.1")

    doors.enter("2.2.2.2")


def test_clients_that_poll_count_also_between_two_requests() -> None:
    doors = Doors(most=5, most_of_address=5, sessions=lambda: 5)

    with pytest.raises(TooManyLines):
        doors.enter("1.1.1.1")


def test_a_line_that_is_refused_hears_why_and_is_counted() -> None:
    caller = Caller(Doors(most=1, most_of_address=1), still)
    before = counts["too_many_lines_from_you"]
    line = caller.call()
    next(line)

    body = b"".join(caller.call())

    assert caller.status == "429 Too Many Requests"
    assert caller.headers["Retry-After"] == "5"
    assert b'"code": "too_many_lines_from_you"' in body
    assert counts["too_many_lines_from_you"] == before + 1


def test_other_pages_stay_open_to_all() -> None:
    caller = Caller(Doors(most=1, most_of_address=1), still)
    line = caller.call()
    next(line)

    assert next(caller.call("/")) == b"beat"


def test_a_line_is_given_back_when_it_ends_and_when_it_fails() -> None:
    doors = Doors(most=1, most_of_address=1)
    line = Caller(doors, still).call()
    next(line)

    line.close()
    with pytest.raises(RuntimeError):
        list(Caller(doors, broken).call())

    assert doors.open == 0


def test_a_line_that_outlives_its_request_is_given_back_by_who_keeps_it() -> None:
    doors = Doors(most=1, most_of_address=1)
    leave: list[Callable[[], None]] = []

    def keep(environ: dict[str, Any], _start_response: Any) -> Iterable[bytes]:
        leave.append(environ[KEEP_OPEN]())
        return []

    list(Caller(doors, keep).call())
    kept = doors.open
    leave[0]()

    assert (kept, doors.open) == (1, 0)
