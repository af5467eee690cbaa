"""The web process: a port of its own, and a stop that finishes what it began."""

import http.client
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import socketio

from tests.core.processes_seen import end, make_stub_shop, start, wait_until
from tests.running import free_port

Serve = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def serve(tmp_path: Path, port: int) -> Iterator[Serve]:
    """Starts `python wsgi.py` on `port` and waits until it answers."""
    shop = make_stub_shop(tmp_path / "shop")
    started = []

    def serve(**environ: str) -> "subprocess.Popen[str]":
        process = start(shop, "wsgi.py", PORT=str(port), **environ)
        started.append(process)
        wait_until(lambda: process.poll() is not None or get(port, "/healthz/ready") == process.pid)
        return process

    yield serve
    for process in started:
        end(process)


def get(port: int, path: str) -> object:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=8)
    try:
        connection.request("GET", path)
        body = connection.getresponse().read().decode()
        return int(body) if body.isdigit() else body
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def get_in_background(port: int, path: str) -> tuple[threading.Thread, list[object]]:
    answers: list[object] = []
    thread = threading.Thread(target=lambda: answers.append(get(port, path)))
    thread.start()
    time.sleep(0.3)  # until the request is being worked on
    return thread, answers


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_request_in_flight_is_finished_before_the_process_ends_well(
    serve: Serve, port: int, number: signal.Signals
) -> None:
    web = serve()
    request, answers = get_in_background(port, "/slow")

    web.send_signal(number)

    assert web.wait(6) == 0
    request.join()
    assert answers == ["finished"]


def test_after_sigterm_no_new_request_is_taken(serve: Serve, port: int) -> None:
    web = serve()
    request, _ = get_in_background(port, "/slow")

    web.send_signal(signal.SIGTERM)
    time.sleep(0.3)

    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=1)
    request.join()


def test_an_endless_stream_does_not_hold_up_the_stop(serve: Serve, port: int) -> None:
    web = serve()
    stream = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    stream.request("GET", "/live/stream")
    assert stream.getresponse().read(4) == b"data"
    began = time.monotonic()

    web.send_signal(signal.SIGTERM)

    assert web.wait(6) == 0
    assert time.monotonic() - began < 2.0


def test_sockets_are_told_that_the_server_goes(serve: Serve, port: int) -> None:
    web = serve()
    client = socketio.Client(reconnection=False)
    client.connect(f"http://127.0.0.1:{port}", transports=["websocket"])
    gone = threading.Event()
    client.on("disconnect", lambda *_: gone.set())

    web.send_signal(signal.SIGTERM)

    assert gone.wait(3)
    assert web.wait(6) == 0


def test_small_pieces_of_a_stream_arrive_at_once(serve: Serve, port: int) -> None:
    serve()
    stream = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    stream.request("GET", "/live/stream")

    assert stream.getresponse().fp.read1(64).endswith(b"data: beat\n\n\r\n")
    stream.close()


def test_a_taken_port_is_a_clear_error(serve: Serve, port: int) -> None:
    serve()

    second = serve()

    assert second.wait(10) == 1
    told = second.communicate()[0]
    assert f"Port {port} is taken" in told and "Traceback" not in told


def test_two_web_processes_share_a_port(serve: Serve, port: int) -> None:
    processes = [serve(WEB_PROCESSES="2"), serve(WEB_PROCESSES="2")]

    seen = set()
    wait_until(lambda: seen.add(get(port, "/healthz/ready")) or len(seen) == 2)  # type: ignore[func-returns-value]

    assert seen == {process.pid for process in processes}


def test_a_wsgi_module_that_is_imported_is_not_patched(tmp_path: Path) -> None:
    shop = make_stub_shop(tmp_path / "shop")
    code = "import wsgi, sys, threading; print(wsgi.app.name, 'eventlet' in sys.modules)"

    process = start(shop, "-c", code)

    assert process.communicate()[0].strip() == "storefront False"


def test_threads_serve_the_same_app_and_stop_well(serve: Serve, port: int) -> None:
    web = serve(ASYNC_MODE="threading")

    web.send_signal(signal.SIGTERM)

    assert web.wait(6) == 0
