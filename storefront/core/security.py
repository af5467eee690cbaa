"""Who may change something: only a page of this shop. And the headers that keep it so, and what a body may be."""

from urllib.parse import urlsplit

from flask import Flask, Response, request
from flask_wtf.csrf import validate_csrf
from werkzeug.exceptions import NotFound
from wtforms import ValidationError

from storefront.core.errors import CrossOrigin, InvalidInput
from storefront.core.strict_json import StrictJson

FORMS = "application/x-www-form-urlencoded", "multipart/form-data"
SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' https: data:; connect-src 'self' ws: wss:;"
        " frame-ancestors 'none'; base-uri 'self'; form-action 'self'; object-src 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}


def same_origin(origin: str | None, host: str) -> bool:
    """Whether an Origin header names `host`; a missing or unreadable one does not."""
    try:
        return origin is not None and urlsplit(origin).netloc == host
    except ValueError:  # such as http://[
        return False


def _refuse_cross_origin() -> None:
    if request.method in SAFE_METHODS or same_origin(request.headers.get("Origin"), request.host):
        return
    if "Origin" not in request.headers:
        try:
            return validate_csrf(request.form.get("csrf_token"))
        except ValidationError:
            pass
    raise CrossOrigin("Changes are accepted from this shop's own pages only (a matching Origin header).")


def _refuse_nul() -> None:
    """PostgreSQL has no NUL in its texts and cannot even compare with one."""
    if "\x00" in request.path:
        raise NotFound
    if request.mimetype in FORMS and any("\x00" in value for value in request.form.values()):
        raise InvalidInput("A field has a character that no text has.")


def _add_headers(response: Response) -> Response:
    headers = response.headers
    own = "Content-Security-Policy" in headers  # the only one of which a page may have its own
    headers.extend([(name, value) for name, value in HEADERS.items() if not own or name not in headers])
    return response


def init_app(app: Flask) -> None:
    app.json = StrictJson(app)
    app.before_request(_refuse_cross_origin)
    app.before_request(_refuse_nul)
    app.after_request(_add_headers)
