"""Everything a shopper can ask, asked all at once; and what is true of every answer, however sick the shop."""

import json
import re
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import uuid4

import requests
import socketio

from tests.cart.shelf import DETAILS
from tests.running import RunningShop

UNITS = {"MUG": 1000, "QUIET": 5, "GONE": 0}  # nobody touches QUIET: any other number told of it is wrong
ANSWER_SECONDS = 3.0  # the requirement
PATIENCE_SECONDS = 10.0  # so that a late answer is told as late, and not as none
FORM = {"email": "ann@example.org", "name": "Ann", "line1": "Hill 1", "city": "Ulm", "postal_code": "1"}

Ask = Callable[[], "Answer"]


@dataclass(frozen=True)
class Answer:
    """An answer, of whatever kind: an HTTP response, the first event of a stream, an acknowledgement of Socket.IO."""

    status: int
    text: str
    kind: str  # page, problem, JSON, events
    retry_after: str | None = None


@dataclass(frozen=True)
class Told:
    """What came of a question; `answer` is None where none came."""

    question: str
    seconds: float
    answer: Answer | None

    @property
    def status(self) -> int | None:
        return self.answer.status if self.answer else None

    def faults(self, busy_seconds: float = 0.0) -> list[str]:
        """What is wrong with it: it came late, does not say when to come back, or tells a wrong number.

        busy_seconds: what the machine took for an answer that needs nothing.
        """
        if self.answer is None:
            return [f"{self.question}: no answer"]
        found = []
        if self.seconds > ANSWER_SECONDS + busy_seconds:
            found.append(f"late: {self.seconds:.1f} s")
        if self.answer.status >= 500 and (self.answer.status != 503 or self.answer.retry_after is None):
            found.append(f"{self.answer.status}, Retry-After {self.answer.retry_after}")
        if self.answer.status >= 400 and not re.search(r'</h1>|"code": ?"\w+"|"checks":', self.answer.text):
            found.append(f"unreadable: {self.answer.text[:80]}")
        if set(re.findall(r'"sku": ?"QUIET", ?"available": ?(\w+)', self.answer.text)) - {str(UNITS["QUIET"]), "null"}:
            found.append(f"a wrong number: {self.answer.text[:80]}")
        return [f"{self.question}: {fault}" for fault in found]


class Page:
    """An open page of the shop: its Socket.IO line, and every level it was told of a SKU."""

    def __init__(self, shop: RunningShop):
        self._socket: Any = socketio.Client(reconnection=False)
        self.heard: list[dict[str, Any]] = []
        self._socket.on("stock", self.heard.append)
        self._socket.connect(shop.url, transports=["websocket"])

    def call(self, event: str, **message: Any) -> Answer:
        problem = self._socket.call(event, message, timeout=PATIENCE_SECONDS)
        again = problem.get("retry_after")
        return Answer(problem.get("status", 200), json.dumps(problem), "JSON", again and str(again))

    def close(self) -> None:
        self._socket.disconnect()


def questions(shop: RunningShop, page: Page) -> Mapping[str, Ask]:
    """Every question there is, each of a shopper who has what he needs to ask it; to be made while the shop is well.

    Those that give units back or keep what is held begin with "give", those that take units with "take".
    """
    token = _order(shop, _holder(shop)).json()["token"]
    asked = partial(_ask, shop)
    return {
        "the list": asked(shop.shopper(), "GET", "/"),
        "a product": asked(shop.shopper(), "GET", "/products/quiet"),
        "the cart": asked(_holder(shop), "GET", "/cart"),
        "the checkout": asked(_holder(shop), "GET", "/checkout"),
        "an order": asked(shop.shopper(), "GET", f"/orders/{token}"),
        "products as JSON": asked(shop.shopper(), "GET", "/api/v1/products"),
        "stock as JSON": asked(shop.shopper(), "GET", "/api/v1/stock?sku=QUIET"),
        "the cart as JSON": asked(_holder(shop), "GET", "/api/v1/cart"),
        "an order as JSON": asked(shop.shopper(), "GET", f"/api/v1/orders/{token}"),
        "take, form": asked(shop.shopper(), "POST", "/cart/items", data={"sku": "MUG", "quantity": "1"}),
        "take more, form": asked(_holder(shop), "POST", "/cart/items/MUG/quantity", data={"quantity": "2"}),
        "give back, form": asked(_holder(shop), "POST", "/cart/items/MUG/remove"),
        "give order, form": _checkout(shop),
        "give cancel, form": asked(
            shop.shopper(), "POST", f"/orders/{_order(shop, _holder(shop)).json()['token']}/cancel"
        ),
        "extend, form": asked(_holder(shop), "POST", "/cart/items/MUG/extend"),
        "hold again, form": asked(_holder(shop), "POST", "/cart/items/MUG/again"),
        "take": asked(shop.shopper(), "POST", "/api/v1/cart/items", json={"sku": "MUG", "quantity": 1}),
        "take, with a key": asked(
            shop.shopper(), "POST", "/api/v1/cart/items", json={"sku": "MUG", "quantity": 1}, headers=_key()
        ),
        "take more": asked(_holder(shop), "PUT", "/api/v1/cart/items/MUG", json={"quantity": 2}),
        "want what is gone": asked(shop.shopper(), "POST", "/api/v1/cart/items", json={"sku": "GONE", "quantity": 1}),
        "give back": asked(_holder(shop), "DELETE", "/api/v1/cart/items/MUG"),
        "give order": partial(as_answer, partial(_order, shop, _holder(shop))),
        "give cancel": asked(
            shop.shopper(),
            "POST",
            f"/api/v1/orders/{_order(shop, _holder(shop)).json()['token']}/cancel",
            headers=_key(),
        ),
        "extend": asked(_holder(shop), "POST", "/api/v1/cart/items/MUG/extend"),
        "stream": partial(_first_event, shop),
        "poll": asked(shop.shopper(), "GET", "/live/poll?sku=QUIET:0"),
        "watch": partial(page.call, "watch", skus=["QUIET"]),
        "take, socket": partial(page.call, "reserve", sku="MUG", quantity=1, click_id=uuid4().hex),
        "ops": asked(shop.shopper(), "GET", "/ops/", auth=("ops", "secret")),
        "alive": asked(shop.shopper(), "GET", "/healthz/live"),
    }


def ask_all(questions: Mapping[str, Ask]) -> list[Told]:
    """Ask all at once; what was told, in the order of the questions."""

    def tell(question: str, ask: Ask) -> Told:
        began = time.monotonic()
        try:
            answer = ask()
        except Exception:  # an HTTP client or Socket.IO that has waited long enough
            answer = None
        return Told(question, time.monotonic() - began, answer)

    with ThreadPoolExecutor(len(questions)) as threads:
        return list(threads.map(tell, questions, questions.values()))


def _holder(shop: RunningShop) -> requests.Session:
    """A shopper who holds a mug."""
    somebody = shop.shopper()
    shop.add(somebody, "MUG").raise_for_status()
    return somebody


def _key() -> dict[str, str]:
    return {"Idempotency-Key": uuid4().hex}


def _order(shop: RunningShop, who: requests.Session) -> requests.Response:
    body: dict[str, Any] = {**DETAILS, "expected_total": {"amount": "10.00", "currency": "EUR"}}
    return who.post(f"{shop.url}/api/v1/orders", json=body, headers=_key(), timeout=PATIENCE_SECONDS)


def _checkout(shop: RunningShop) -> Ask:
    """Send the form of the checkout page."""
    who = _holder(shop)
    page = who.get(f"{shop.url}/checkout").text
    hidden = dict(re.findall(r'<input[^>]*name="(\w+)"[^>]*type="hidden"[^>]*value="([^"]*)"', page))
    hidden |= dict(re.findall(r'<input[^>]*type="hidden"[^>]*name="(\w+)"[^>]*value="([^"]*)"', page))
    assert "idempotency_key" in hidden, page
    return _ask(shop, who, "POST", "/checkout", data={**FORM, "country": "DE", **hidden})


def _ask(shop: RunningShop, who: requests.Session, method: str, path: str, **more: Any) -> Ask:
    send = partial(who.request, method, shop.url + path, timeout=PATIENCE_SECONDS, allow_redirects=False, **more)
    return partial(as_answer, send)


def as_answer(send: Callable[[], requests.Response]) -> Answer:
    """What comes of sending an HTTP request."""
    response = send()
    kind = response.headers.get("Content-Type", "").partition(";")[0]
    return Answer(response.status_code, response.text, kind, response.headers.get("Retry-After"))


def _first_event(shop: RunningShop) -> Answer:
    with requests.get(f"{shop.url}/live/stock?sku=QUIET", stream=True, timeout=PATIENCE_SECONDS) as response:
        text = b""
        for line in response.iter_lines(chunk_size=1):
            text += line
            if line.startswith(b"data:"):
                break
        return Answer(response.status_code, text.decode(), "events", response.headers.get("Retry-After"))
