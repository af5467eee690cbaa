"""An ERP for the webhook adapter to talk to: a real HTTP server over a book of its own, which can be told to fail.

By hand, beside a shop in development:

    python -m tests.erp.adapters.webhook.receiver --port 8900 --secret SECRET --book erp.db --stock MUG=5

It uses the standard library only, so that what it makes of a signature is not what the shop makes of it.
"""

import base64
import hmac
import json
import time
from argparse import ArgumentParser
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any, Self

from tests.erp.adapters.webhook.book import Book, Json

PAGE_ORDERS = 2  # of /booked: small, so that there is more than one


@dataclass(frozen=True)
class Trouble:
    """How the next request goes wrong.

    instead: this status, and nothing is done. silent: no answer ever, "before" or "after" the work.
    edit: the answer is changed before it is signed. garble: its bytes are, once it is. cut: only so many of them
    come, though more were announced. drip: a byte at a time, with so many seconds between them.
    """

    instead: int = 0
    headers: Json = field(default_factory=dict)
    body: Any = None
    silent: str = ""
    edit: Callable[[Json], Any] | None = None
    garble: Callable[[bytes], bytes] | None = None
    cut: int | None = None
    drip: float = 0


@dataclass(frozen=True)
class Seen:
    """A request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Refused(Exception):
    def __init__(self, status: int, detail: str):
        super().__init__(detail)
        self.status, self.detail = status, detail


class Receiver:
    """The server, in threads of this process; it stops at the end of the block."""

    def __init__(self, book: Path, secret: str, port: int = 0, address: str = "127.0.0.1"):
        self.book = Book(book)
        self.secrets = [secret]
        self.signs_replies = False
        self.books_at_once = True  # else orders are accepted, and booked by `book.work`
        self.refuses: Callable[[Json], bool] = lambda document: False  # a batch with such a document, as a whole
        self.troubles: deque[Trouble] = deque()
        self.seen: list[Seen] = []
        self.closing = Event()
        self._server = ThreadingHTTPServer((address, port), partial(_Turn, self))
        self._server.daemon_threads = True
        self._thread = Thread(target=partial(self._server.serve_forever, poll_interval=0.02), daemon=True)

    @property
    def port(self) -> int:
        return self._server.server_address[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self.book.close()

    def will(self, **trouble: Any) -> None:
        """Let the next request (that has no trouble yet) go wrong, see Trouble."""
        self.troubles.append(Trouble(**trouble))

    def answer(self, path: str, asked: Json) -> Json:
        """What the ERP answers to a call. Raises Refused."""
        calls: dict[str, Callable[[Json], Json]] = {
            "/health": lambda _: {"message": "the reference receiver is well"},
            "/batches": self._take,
            "/lookup": lambda asked: {"results": self.book.look_up(asked["keys"])},
            "/stock": lambda asked: {"as_of": _now(), **self.book.snapshot(asked["skus"], asked["pending"])},
            "/changed": lambda asked: {"skus": self.book.changed_since(_ms(asked["since"]))},
            "/booked": lambda asked: {"lines": self.book.booked(asked["after"], PAGE_ORDERS)},
        }
        if path not in calls:
            raise Refused(404, f"there is no call {path}")
        return calls[path](asked)

    def _take(self, batch: Json) -> Json:
        refused = [document["idempotency_key"] for document in batch["lines"] if self.refuses(document)]
        if refused:
            raise Refused(422, f"{refused[0]} is not to our taste")
        if not self.book.same_batch(batch["batch"], batch["sha256"]):
            raise Refused(422, f"batch {batch['batch']} had another content before")
        return {"results": [self.book.take(one, at_once=self.books_at_once) for one in batch["lines"]]}

    # -- signatures --------------------------------------------------------------------------------------------

    def signature(self, secret: str, message_id: str, timestamp: str, body: bytes) -> str:
        raw = base64.b64decode(secret[6:]) if secret.startswith("whsec_") else secret.encode()
        content = message_id.encode() + b"." + timestamp.encode() + b"." + body
        return "v1," + base64.b64encode(hmac.new(raw, content, "sha256").digest()).decode()

    def check(self, seen: Seen) -> None:
        message_id, timestamp, given = (
            seen.headers.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature")
        )
        if not timestamp.isdigit() or abs(int(timestamp) - time.time()) > 300:
            raise Refused(401, "the timestamp is not of now")
        right = [self.signature(secret, message_id, timestamp, seen.body) for secret in self.secrets]
        if not any(hmac.compare_digest(one, other) for one in right for other in given.split(" ")):
            raise Refused(401, "the signature is wrong")


class _Turn(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"

    def __init__(self, receiver: Receiver, *args: Any):
        self.receiver = receiver
        super().__init__(*args)

    def log_message(self, *_: object) -> None:
        pass

    def do_POST(self) -> None:
        self.close_connection = True
        body = self.rfile.read(int(self.headers["Content-Length"]))
        seen = Seen(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
        self.receiver.seen.append(seen)
        trouble = self.receiver.troubles.popleft() if self.receiver.troubles else Trouble()
        if trouble.silent == "before":
            return self._wait()
        if trouble.instead:
            return self._send(seen, trouble, trouble.instead, trouble.body or {})
        status, answer = self._work(seen, trouble)
        if trouble.silent == "after":
            return self._wait()
        self._send(seen, trouble, status, answer)

    def _work(self, seen: Seen, trouble: Trouble) -> tuple[int, Any]:
        try:
            self.receiver.check(seen)
            answer = self.receiver.answer(seen.path, seen.json)
        except Refused as refusal:
            return refusal.status, {"title": "Refused", "detail": refusal.detail}
        return 200, trouble.edit(answer) if trouble.edit else answer

    def _wait(self) -> None:
        self.receiver.closing.wait(10)

    def _send(self, seen: Seen, trouble: Trouble, status: int, answer: Any) -> None:
        body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        headers = {"Content-Type": "application/json", **self._signed(seen, body), **trouble.headers}
        body = trouble.garble(body) if trouble.garble else body
        self.send_response_only(status)
        for name, value in {**headers, "Content-Length": len(body), "Connection": "close"}.items():
            self.send_header(name, str(value))
        self.end_headers()
        self._write(body[: trouble.cut], trouble.drip)

    def _signed(self, seen: Seen, body: bytes) -> dict[str, str]:
        if not self.receiver.signs_replies:
            return {}
        message_id, timestamp = seen.headers["webhook-id"], str(int(time.time()))
        signature = self.receiver.signature(self.receiver.secrets[0], message_id, timestamp, body)
        return {"webhook-id": message_id, "webhook-timestamp": timestamp, "webhook-signature": signature}

    def _write(self, body: bytes, pause: float) -> None:
        step = 1 if pause else len(body) or 1
        try:
            for start in range(0, len(body), step):
                self.wfile.write(body[start : start + step])
                if self.receiver.closing.wait(pause):
                    return
        except OSError:
            pass  # nobody listens any more


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _ms(time_text: str) -> int:
    return round(datetime.fromisoformat(time_text).timestamp() * 1000)


def main() -> None:
    parser = ArgumentParser(description="A small ERP for the webhook adapter.")
    parser.add_argument("--port", type=int, default=8900)
    parser.add_argument("--secret", required=True)
    parser.add_argument("--book", type=Path, default=Path("erp.db"))
    parser.add_argument("--stock", nargs="*", default=[], metavar="SKU=UNITS")
    given = parser.parse_args()
    with Receiver(given.book, given.secret, given.port) as receiver:
        receiver.book.set_stock({sku: int(units) for sku, _, units in (one.partition("=") for one in given.stock)})
        print(f"ERP_WEBHOOK_URL={receiver.url}", flush=True)
        receiver.closing.wait()


if __name__ == "__main__":
    main()
