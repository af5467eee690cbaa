"""`flask up`: the whole shop with one command, for development and small machines."""

import errno
import http.client
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click
from flask import Flask, current_app
from honcho.environ import parse_procfile

from storefront.core.config import PROJECT_ROOT, Settings, keep_secret
from storefront.core.embedded_redis import EmbeddedRedis, EmbeddedRedisError
from storefront.core.processes import POLL_SECONDS, ProcessGroup

READY_SECONDS = 60.0


class LaunchError(click.ClickException):
    """The shop cannot start or had to stop; the message says why."""


class _StopAsked(Exception):
    """Ctrl-C, SIGTERM, or the end of the process that started this one."""


def init_app(app: Flask) -> None:
    """Add `flask up`."""

    @app.cli.command("up")
    @click.option("--until-parent-exits", is_flag=True, help="Stop when the process that started this one has gone.")
    def up(until_parent_exits: bool) -> None:
        """Start Redis if need be, migrate, and run the shop until Ctrl-C."""
        with _Stop(until_parent_exits) as stop:
            launch(current_app.extensions["settings"], stop)


class _Stop:
    """Whether this process was asked to stop; being asked twice is being asked once."""

    def __init__(self, follow_parent: bool):
        self._parent = os.getppid() if follow_parent else None
        self._asked = False
        self._before: dict[int, object] = {}

    def __enter__(self) -> "_Stop":
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _on_signal(self, _number: int, _frame: object) -> None:
        self._asked = True

    def check(self) -> None:
        """Raise _StopAsked once this process was asked to stop."""
        if self._asked or (self._parent is not None and os.getppid() != self._parent):
            raise _StopAsked


def launch(settings: Settings, stop: _Stop) -> None:
    """Run every process of the Procfile until asked to stop; raise LaunchError naming what failed."""
    check_port(settings.port)
    commands = parse_procfile((PROJECT_ROOT / "Procfile").read_text()).processes
    with ExitStack() as stack:
        try:
            environ = child_environ(settings, os.environ)
            if settings.redis_url is None:
                environ["REDIS_URL"] = stack.enter_context(_embedded_redis(settings, stop))
            group = ProcessGroup(environ, PROJECT_ROOT)
            stack.callback(group.stop)
            _run(group, stop, "release", commands["release"], "Bringing the database up to date")
            _run(group, stop, "demo", "flask demo load --if-empty", "Looking at the catalogue")
            _start_all(group, settings, commands)
            _wait_until_ready(group, stop, settings.port)
            _say_welcome(settings, environ["OPS_PASSWORD"])
            while True:
                _check_all_run(group, stop)
                time.sleep(POLL_SECONDS)
        except _StopAsked:
            click.echo("\nStopping …")
    click.echo("Stockbeat has stopped.")


def check_port(port: int) -> None:
    """Raise LaunchError if something listens on `port` already."""
    taken = LaunchError(f"Port {port} is taken by another program. Choose another one: PORT={port + 1} make run")
    with socket.socket() as probe:
        probe.settimeout(1.0)
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            raise taken
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise taken from error
            raise LaunchError(f"Port {port} cannot be used: {error.strerror}. Choose another one with PORT.") from error


def child_environ(settings: Settings, environ: Mapping[str, str]) -> dict[str, str]:
    """The environment of the shop's processes: this one's, with what `settings` decided written out.

    An ops password is made and kept where none is given, so that the ops pages are open to who started the shop.
    """
    return {
        **environ,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), environ.get("PATH", os.defpath)]),
        "PYTHONUNBUFFERED": "1",
        "DATA_DIR": str(settings.data_dir),
        "PORT": str(settings.port),
        "WEB_PROCESSES": str(settings.web_processes),
        "OPS_USERNAME": settings.ops_username,
        "OPS_PASSWORD": settings.ops_password or keep_secret(settings.data_dir / "ops-password"),
    }


@contextmanager
def _embedded_redis(settings: Settings, stop: _Stop) -> Iterator[str]:
    click.echo("Starting Redis")
    try:
        server = EmbeddedRedis(settings.data_dir / "redis").start()
    except EmbeddedRedisError as error:
        raise LaunchError(str(error)) from error
    try:
        yield server.url
    finally:
        server.close()


def _run(group: ProcessGroup, stop: _Stop, name: str, command: str, progress: str) -> None:
    """Run one command to its end; its output is shown only if it fails."""
    click.echo(progress)
    process = group.start(name, command, quiet=True)
    while not process.ended():
        stop.check()
        time.sleep(POLL_SECONDS)
    stop.check()
    if process.popen.returncode != 0:
        click.echo(b"".join(process.lines).decode(errors="replace"), err=True)
        raise LaunchError(f"`{command}` failed with exit code {process.popen.returncode}; its output is above.")
    group.forget(process)


def _start_all(group: ProcessGroup, settings: Settings, commands: Mapping[str, str]) -> None:
    click.echo("Starting " + ", ".join(name for name in commands if name != "release"))
    for name, command in commands.items():
        if name == "web" and settings.web_processes > 1:
            for number in range(1, settings.web_processes + 1):
                group.start(f"web.{number}", command)
        elif name != "release":
            group.start(name, command)


def _wait_until_ready(group: ProcessGroup, stop: _Stop, port: int) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not _is_ready(port):
        _check_all_run(group, stop)
        if time.monotonic() > deadline:
            raise LaunchError(f"The shop did not become ready within {READY_SECONDS:.0f} s.")
        time.sleep(POLL_SECONDS)


def _is_ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2.0)
    try:
        connection.request("GET", "/healthz/ready")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _check_all_run(group: ProcessGroup, stop: _Stop) -> None:
    stop.check()
    ended = group.first_ended()
    if ended:
        raise LaunchError("{} ended by itself with exit code {}; everything was stopped.".format(*ended))


def _say_welcome(settings: Settings, ops_password: str) -> None:
    shown = "the OPS_PASSWORD you gave" if settings.ops_password else ops_password
    click.echo(f"Ops pages: http://localhost:{settings.port}/ops/ (user {settings.ops_username}, password {shown})")
    click.echo(f"Stockbeat is running: open http://localhost:{settings.port}")
