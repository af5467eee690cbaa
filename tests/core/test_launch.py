"""`flask up`: everything starts with one command, and nothing outlives it."""

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from storefront.core.embedded_redis import socket_path_of
from storefront.core.launch import LaunchError, check_port
from tests.core.processes_seen import end, make_stub_shop, processes_with, start, wait_until
from tests.running import free_port

UP = ("-m", "flask", "up")


class Shop:
    """A stub shop in a folder of its own, run by `flask up` on its own port."""

    def __init__(self, folder: Path):
        self.folder = make_stub_shop(folder)
        self.port = free_port()
        # A command line that no other process has, to look for orphans.
        self.sleep = f"sleep {1000 + self.port}"
        procfile = folder / "Procfile"
        procfile.write_text(procfile.read_text().replace("sleep 1000", self.sleep))
        self.lines: list[str] = []

    def start(self, **environ: str) -> "subprocess.Popen[str]":
        self.up = start(self.folder, *UP, PORT=str(self.port), **environ)
        return self.up

    def start_and_wait(self, **environ: str) -> "subprocess.Popen[str]":
        self.start(**environ)
        assert self.up.stdout
        for line in self.up.stdout:
            self.lines.append(line)
            if "Stockbeat is running" in line:
                return self.up
        raise AssertionError("".join(self.lines))

    def left(self) -> list[str]:
        """What still runs, `flask up` and its web process (seen by their port) included."""
        redis_socket = str(socket_path_of(self.folder / "instance" / "redis"))
        found = [*processes_with(self.sleep).values(), *processes_with(redis_socket).values()]
        return found + (["web"] if self.serves() else [])

    def serves(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    shop = Shop(tmp_path / "shop")
    yield shop
    end(shop.up)
    wait_until(lambda: not shop.left())


def test_it_says_at_last_which_address_to_open_and_how_to_log_in(shop: Shop) -> None:
    shop.start_and_wait()

    password = (shop.folder / "instance" / "ops-password").read_text()
    assert shop.lines[-1] == f"Stockbeat is running: open http://localhost:{shop.port}\n"
    assert f"user ops, password {password}" in shop.lines[-2]
    assert (shop.folder / "steps").read_text() == "step\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_stop_leaves_nothing_behind(shop: Shop, number: signal.Signals) -> None:
    up = shop.start_and_wait()

    up.send_signal(number)

    assert up.wait(60) == 0
    assert not shop.left()


def test_a_second_ctrl_c_is_harmless(shop: Shop) -> None:
    up = shop.start_and_wait()

    for _ in range(5):
        up.send_signal(signal.SIGINT)
        time.sleep(0.05)

    assert up.wait(60) == 0
    assert not shop.left()


def test_a_ctrl_c_while_it_starts_leaves_nothing_behind(shop: Shop) -> None:
    up = shop.start()
    assert up.stdout
    for line in up.stdout:
        if "Starting web" in line:
            break

    up.send_signal(signal.SIGINT)

    assert up.wait(60) == 0
    assert not shop.left()


def test_nothing_outlives_a_kill_9(shop: Shop) -> None:
    shop.start_and_wait(WEB_PROCESSES="2").kill()

    wait_until(lambda: not shop.left())


def test_it_goes_when_the_process_that_started_it_is_killed(shop: Shop) -> None:
    words = [sys.executable, *UP, "--until-parent-exits"]
    shop.up = start(shop.folder, "-c", f"import subprocess; subprocess.run({words!r})", PORT=str(shop.port))
    wait_until(shop.serves)

    shop.up.kill()

    wait_until(lambda: not shop.left())


def test_when_one_process_ends_all_stop_and_it_is_named(shop: Shop) -> None:
    up = shop.start_and_wait()
    for pid, command in processes_with(shop.sleep).items():
        if command == shop.sleep:
            os.kill(pid, signal.SIGKILL)

    assert up.wait(60) == 1
    assert re.search(r"(worker|clock) ended by itself", up.stdout.read() if up.stdout else "")
    assert not shop.left()


def test_a_step_that_fails_shows_its_output(shop: Shop) -> None:
    procfile = shop.folder / "Procfile"
    procfile.write_text(procfile.read_text().replace("flask step", "echo no disk left; exit 3"))

    told = shop.start().communicate()[0]

    assert shop.up.returncode == 1
    assert "no disk left" in told and "failed with exit code 3" in told


def test_a_taken_port_is_named_with_a_way_out(shop: Shop) -> None:
    with socket.create_server(("127.0.0.1", shop.port)):
        told = shop.start().communicate()[0]

    assert shop.up.returncode == 1
    assert f"Port {shop.port} is taken" in told and f"PORT={shop.port + 1} make run" in told


def test_a_second_start_finds_the_port_and_leaves_the_first_alone(shop: Shop) -> None:
    shop.start_and_wait()

    second = start(shop.folder, *UP, PORT=str(shop.port))

    assert second.wait(60) == 1
    second.communicate()
    connection = http.client.HTTPConnection("127.0.0.1", shop.port, timeout=5)
    connection.request("GET", "/healthz/ready")
    assert connection.getresponse().status == 200


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])
def test_a_port_that_is_listened_on_is_taken(address: str) -> None:
    with socket.create_server((address, 0)) as listener, pytest.raises(LaunchError, match="is taken"):
        check_port(listener.getsockname()[1])


def test_a_free_port_is_free() -> None:
    check_port(free_port())
