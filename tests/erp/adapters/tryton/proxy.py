"""Stands between the shop and Tryton, and lets things go wrong at a chosen call."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import requests


class Cut(Exception):
    """The connection ends here, without an answer."""


def cut() -> None:
    raise Cut


@dataclass
class Fault:
    """What happens at a call: before Tryton hears of it, or after it has worked.

    skip, times: how many calls pass before it happens, and how often it does.
    """

    method: str  # the end of its name
    before: Callable[[], object] | None = None
    after: Callable[[], object] | None = None
    status: int = 0  # answered instead of asking Tryton
    headers: dict[str, str] = field(default_factory=dict)
    skip: int = 0
    times: int = 1

    def strikes(self, method: str) -> bool:
        """Whether it happens at this call; counts it."""
        if not method.endswith(self.method) or not self.times:
            return False
        if self.skip:
            self.skip -= 1
            return False
        self.times -= 1
        return True


class Proxy:
    """Forwards calls to `target` and keeps the names of their methods in `calls`."""

    def __init__(self, target: str, port: int):
        self.target, self.calls = target, list[str]()
        self.faults: list[Fault] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", port), _handler(self))
        self.url = f"http://127.0.0.1:{port}"

    def run(self) -> None:
        self._server.serve_forever(poll_interval=0.05)

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes, dict[str, str]]:
        method = json.loads(body)["method"]
        self.calls.append(method)
        fault = next((one for one in self.faults if one.strikes(method)), Fault(method))
        if fault.before:
            fault.before()
        if fault.status:
            return fault.status, b"", fault.headers
        reply = requests.post(self.target + path, body, headers=headers, timeout=60)
        if fault.after:
            fault.after()
        return reply.status_code, reply.content, {"Content-Type": reply.headers.get("Content-Type", "")}


def _handler(proxy: Proxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            kept = {name: self.headers[name] for name in ("Content-Type", "Authorization") if self.headers[name]}
            try:
                status, content, headers = proxy.answer(self.path, body, kept)
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(content))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)
            except (Cut, OSError):
                self.close_connection = True  # the other side is gone, or shall think that we are

        def log_message(self, *_: object) -> None:
            pass

    return Handler


@contextmanager
def standing_before(target: str, port: int) -> Iterator[Proxy]:
    """A proxy before `target` on a port of loopback."""
    proxy = Proxy(target, port)
    thread = threading.Thread(target=proxy.run, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.stop()
        thread.join(10)
