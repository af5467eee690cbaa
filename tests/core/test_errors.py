"""A no is told in one form: problem+json to programs, a page to people."""

from collections.abc import Callable

import pytest
from flask import Flask
from redis.exceptions import ConnectionError as RedisConnectionError
from sqlalchemy.exc import OperationalError
from werkzeug.exceptions import TooManyRequests

from storefront import create_app
from storefront.core.config import Settings
from storefront.core.errors import Refusal, Unavailable
from tests.cart.shelf import Visitor, visitor

pytestmark = pytest.mark.only_on("sqlite")  # the same on each database


class TooLoud(Refusal):
    code, status, title = "too_loud", 418, "That was too loud"


FAILURES: dict[str, Callable[[], Exception]] = {
    "refusal": lambda: TooLoud("Be quiet.", decibels=90),
    "busy": lambda: Unavailable(retry_after=7),
    "redis": lambda: RedisConnectionError("hunter2"),
    "database": lambda: OperationalError("SELECT hunter2", {}, RuntimeError("hunter2")),
    "crash": lambda: RuntimeError("hunter2"),
    "limit": lambda: TooManyRequests(retry_after=9),
}


@pytest.fixture
def somebody(settings_of: Callable[..., Settings]) -> Visitor:
    """A visitor of a shop in which /api/fail/<how> and /fail/<how> fail."""
    app = create_app(settings_of())

    def fail(how: str) -> str:
        raise FAILURES[how]()

    app.add_url_rule("/api/fail/<how>", "fail_api", fail)
    app.add_url_rule("/fail/<how>", "fail_page", fail)
    return visitor(app)


def test_a_refusal_is_a_problem_with_its_code_and_facts(somebody: Visitor) -> None:
    answer = somebody.get("/api/fail/refusal")

    assert answer.status_code == 418
    assert answer.mimetype == "application/problem+json"
    assert answer.get_json() == {
        "type": "about:blank", "title": "That was too loud", "status": 418, "code": "too_loud", "detail": "Be quiet.",
        "decibels": 90,
    }  # fmt: skip


def test_the_same_refusal_is_a_page_for_people(somebody: Visitor) -> None:
    answer = somebody.get("/fail/refusal")

    assert answer.status_code == 418
    assert answer.mimetype == "text/html"
    assert "Be quiet." in answer.text


@pytest.mark.parametrize("place", ["/api/fail", "/fail"])
@pytest.mark.parametrize("how, status, retry_after", [("busy", 503, "7"), ("redis", 503, "1"), ("database", 503, "1"),
                                                      ("limit", 429, "9")])  # fmt: skip
def test_what_passes_says_when_to_come_back(
    somebody: Visitor, place: str, how: str, status: int, retry_after: str
) -> None:
    answer = somebody.get(f"{place}/{how}")

    assert (answer.status_code, answer.headers["Retry-After"]) == (status, retry_after)


@pytest.mark.parametrize("place", ["/api/fail", "/fail"])
@pytest.mark.parametrize("how", ["redis", "database", "crash"])
def test_what_went_wrong_inside_stays_inside(somebody: Visitor, place: str, how: str) -> None:
    answer = somebody.get(f"{place}/{how}")

    assert answer.status_code in (500, 503)
    assert "hunter2" not in answer.text
    assert "Traceback" not in answer.text


@pytest.mark.parametrize("path, code", [
    ("/api/v1/nothing", "not_found"), ("/api/", "not_found"), ("/live/nothing", "not_found"),
])  # fmt: skip
def test_an_unknown_address_for_programs_is_a_problem(somebody: Visitor, path: str, code: str) -> None:
    answer = somebody.get(path)

    assert (answer.status_code, answer.get_json()["code"]) == (404, code)
    assert answer.mimetype == "application/problem+json"


@pytest.mark.parametrize("method, path, allowed", [
    ("PUT", "/api/v1/cart/items", "POST"), ("POST", "/api/v1/products", "GET"), ("GET", "/api/v1/orders", "POST"),
    ("DELETE", "/live/poll", "GET"), ("GET", "/cart/items", "POST"),
])  # fmt: skip
def test_a_wrong_method_is_405_and_says_which_are_right(
    somebody: Visitor, method: str, path: str, allowed: str
) -> None:
    answer = somebody.open(path, method=method)

    assert answer.status_code == 405
    assert allowed in answer.headers["Allow"]


def test_a_redirect_is_no_error(app: Flask) -> None:
    answer = visitor(app).get("/ops/rq")

    assert answer.status_code in (301, 302, 307, 308, 404)
