"""Refusals: what the shop says no to, each with one stable code, and how a no is told."""

from typing import Any, ClassVar

from flask import Flask, Response, jsonify, render_template, request
from redis.exceptions import RedisError
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as SqlTimeout
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as BaseResponse

API_PREFIXES = ("/api/", "/live/")


class Refusal(Exception):
    """A request that cannot be granted; subclasses are named for the fact.

    `code` is stable for programs, `title` is for people, `facts` go into the problem document.
    """

    code: ClassVar[str] = "refused"
    status: ClassVar[int] = 409
    title: ClassVar[str] = "This cannot be done"

    def __init__(self, detail: str = "", **facts: Any):
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.facts = facts

    def problem(self) -> dict[str, Any]:
        """The problem document of RFC 9457, with `code` and the facts as extension members."""
        return {
            "type": "about:blank",
            "title": self.title,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
            **self.facts,
        }


class InvalidInput(Refusal):
    code, status, title = "invalid_input", 422, "Some of the input is not valid"


class CrossOrigin(Refusal):
    code, status, title = "cross_origin", 403, "This request came from another site"


class Crash(Refusal):
    """Not a refusal but an error of ours, told in the form of one."""

    code, status, title = "internal_server_error", 500, "Internal Server Error"


class Unavailable(Refusal):
    """Something behind the shop does not answer; try again after `retry_after` seconds."""

    code, status, title = "unavailable", 503, "The shop is busy for a moment"

    def __init__(self, detail: str = "", retry_after: int = 1, **facts: Any):
        super().__init__(detail, retry_after=retry_after, **facts)
        self.retry_after = retry_after


def refusal_of(error: Exception) -> Refusal:
    """What to tell of an error: that something behind the shop does not answer, or that it is ours."""
    if isinstance(error, Refusal):
        return error
    if isinstance(error, RedisError):
        return Unavailable("The shop cannot reach its stock counter. Please try again in a moment.")
    if isinstance(error, OperationalError | SqlTimeout) or _is_lost(error):
        return Unavailable("The shop's database does not answer. Please try again in a moment.")
    return Crash("Something went wrong on our side. It has been noted.")


def _is_lost(error: Exception) -> bool:
    return isinstance(error, DBAPIError) and error.connection_invalidated


def is_outage(error: BaseException | None) -> bool:
    """Whether an error says that something behind the shop does not answer, so that no traceback would help."""
    return isinstance(error, Exception) and isinstance(refusal_of(error), Unavailable)


def in_a_line(error: BaseException) -> str:
    """What kind of error it is and the first line of its message; SQLAlchemy's further ones repeat what was sent."""
    return f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"


def tell(refusal: Refusal) -> Response:
    """A refusal as the caller reads it: problem+json under /api/ and /live/, else a page."""
    if request.path.startswith(API_PREFIXES):
        response = jsonify(refusal.problem())
        response.mimetype = "application/problem+json"
    else:
        response = Response(render_template("error.html", problem=refusal.problem()), mimetype="text/html")
    response.status_code = refusal.status
    if isinstance(refusal, Unavailable):
        response.headers["Retry-After"] = str(refusal.retry_after)
    return response


def _tell_http(error: HTTPException) -> Response:
    answer = error.get_response()
    refusal = Refusal(error.description or "")
    problem = {**refusal.problem(), "title": error.name, "status": error.code, "code": _code_of(error)}
    if request.path.startswith(API_PREFIXES):
        told = jsonify(problem)
        told.mimetype = "application/problem+json"
    else:
        told = Response(render_template("error.html", problem=problem), mimetype="text/html")
    told.status_code = error.code or 500
    for name in ("Allow", "Location", "Retry-After", "WWW-Authenticate"):
        if name in answer.headers:
            told.headers[name] = answer.headers[name]
    return told


def _code_of(error: HTTPException) -> str:
    return error.name.lower().replace(" ", "_").replace("'", "")


def init_app(app: Flask) -> None:
    """Tell every refusal, HTTP error and crash of `app` in one form."""

    def tell_failure(error: Exception) -> Response:
        app.logger.error("%s %s could not be answered", request.method, request.path, exc_info=error)
        return tell(refusal_of(error))

    def tell_http(error: HTTPException) -> BaseResponse:
        if error.code is not None and error.code < 400:
            return error.get_response()
        return _tell_http(error)

    app.register_error_handler(Refusal, tell)
    app.register_error_handler(HTTPException, tell_http)
    app.register_error_handler(Exception, tell_failure)
