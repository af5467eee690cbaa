"""The ops login: everything under /ops asks for OPS_USERNAME and OPS_PASSWORD."""

import hmac

from flask import Flask, request
from flask_httpauth import HTTPBasicAuth
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from storefront.core.config import Settings

PREFIX = "/ops"


def init_app(app: Flask, settings: Settings) -> None:
    """Guard the ops pages of `app`; without OPS_PASSWORD there are none."""
    auth = HTTPBasicAuth(realm="Stockbeat ops")

    @auth.verify_password
    def verify(username: str, password: str) -> bool:
        good_name = hmac.compare_digest(username.encode(), settings.ops_username.encode())
        good_password = hmac.compare_digest(password.encode(), (settings.ops_password or "").encode())
        return good_name and good_password

    @auth.login_required
    def ask() -> None:
        return None

    @app.before_request
    def guard() -> Response | None:
        if not (request.path + "/").startswith(PREFIX + "/"):
            return None
        if settings.ops_password is None:
            raise NotFound("The ops pages are closed: set OPS_PASSWORD to open them.")
        return ask()


def operator() -> str:
    """Whose request this is, for an audit; behind the guard there is always somebody."""
    login = request.authorization
    return (login.username or "")[:100] if login else ""
