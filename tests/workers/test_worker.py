"""The worker stops when it was asked to, also where nobody passes on the exception that RQ's signal handler raises."""

import signal
import threading
from collections.abc import Callable

import pytest
from flask import Flask
from rq.exceptions import StopRequested
from rq.worker import WorkerStatus

from workers.__main__ import ThreadWorker, Worker, hire, work

pytestmark = pytest.mark.only_on("sqlite")  # SQL has no part in it
PATIENCE_SECONDS = 15.0


def ask_to_stop(worker: Worker) -> None:
    """SIGTERM at a moment at which somebody catches everything: a log handler, a library's clean-up."""
    try:
        worker.request_stop(signal.SIGTERM, None)
    except StopRequested:
        pass


def ends(app: Flask, work: Callable[[], object]) -> bool:
    """Whether `work` ends in time, in a thread of its own."""

    def run() -> None:
        with app.app_context():
            work()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(PATIENCE_SECONDS)
    return not thread.is_alive()


@pytest.fixture(autouse=True)
def nobody_was_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Worker, "asked_to_stop", False)
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # a thread may not


@pytest.mark.parametrize("ask_first", [True, False], ids=["before it listens", "while it listens"])
def test_a_stop_that_was_caught_by_others_ends_the_worker_at_its_next_turn(app: Flask, ask_first: bool) -> None:
    worker = hire(ThreadWorker)
    if ask_first:
        ask_to_stop(worker)
    else:
        threading.Timer(0.5, ask_to_stop, [worker]).start()

    assert ends(app, lambda: worker.work(logging_level="WARNING"))


def test_a_stop_that_reaches_a_worker_that_has_given_up_ends_the_next(app: Flask) -> None:
    given_up = hire(ThreadWorker)
    given_up.set_state(WorkerStatus.BUSY)  # Redis went away in the middle of a job
    given_up.request_stop(signal.SIGTERM, None)

    assert ends(app, lambda: work(ThreadWorker))
