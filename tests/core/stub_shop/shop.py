"""The smallest shop that the server and `flask up` can run; copied to storefront/__init__.py of a scratch project."""

import gc
import os
import time
from collections.abc import Iterator
from pathlib import Path

import click
from flask import Flask, Response
from flask_socketio import SocketIO

from storefront.core import launch
from storefront.core.config import load_settings

MOST_SECONDS = 60  # that a test keeps a request waiting


def create_app(serving: bool = False) -> Flask:
    gc.disable()  # for /kept: what is in no cycle goes without it
    app = Flask(__name__)
    app.extensions["settings"] = load_settings()
    SocketIO(app, async_mode=os.environ.get("ASYNC_MODE", "eventlet") if serving else "threading")
    app.extensions["say_goodbye"] = lambda: None
    launch.init_app(app)

    @app.get("/healthz/ready")
    def ready() -> str:
        return str(os.getpid())

    @app.get("/slow")
    def slow() -> str:
        Path("slow-began").touch()
        until = time.monotonic() + MOST_SECONDS
        while not Path("slow-may-end").exists() and time.monotonic() < until:
            time.sleep(0.01)
        return "finished"

    @app.get("/kept")
    def kept() -> str:
        return f"kept {sum(type(thing).__name__ == 'Protocol' for thing in gc.get_objects())}"

    @app.get("/live/stream")
    def stream() -> Response:
        def beats() -> Iterator[str]:
            while True:
                yield "data: beat\n\n"
                time.sleep(0.1)

        return Response(beats(), mimetype="text/event-stream")

    @app.cli.command("step")
    def step() -> None:
        with Path("steps").open("a") as steps:
            steps.write("step\n")

    @app.cli.group("demo")
    def demo() -> None: ...

    @demo.command("load")
    @click.option("--if-empty", is_flag=True)
    def load(if_empty: bool) -> None: ...

    return app
