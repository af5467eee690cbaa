"""The RQ dashboard at /ops/rq/.

It has neither login nor CSRF check of its own; both stand before it: the ops login, and the shop's
rule that a change needs a matching Origin (its one change that also answers to GET, which needs
none, is kept to POST). It writes job descriptions into its pages as they are;
its content security policy therefore runs the script that its own template wrote, and no other.
"""

import base64
import hashlib
import re
from typing import Any
from urllib.parse import urlencode

import rq_dashboard
from flask import Flask, Response, request
from werkzeug.exceptions import MethodNotAllowed

from storefront.core.redis import plain_url, tls_options
from storefront.ops.login import PREFIX

WAIT_SECONDS = 1  # a dashboard of a Redis that is silent is no use, but an answer is

_OWN_SCRIPT = re.compile(r'<script type="text/javascript">(.*?)</script>', re.DOTALL)


def mount(app: Flask, redis_url: str) -> None:
    """Mount the dashboard of the queues in `redis_url`."""
    app.config["RQ_DASHBOARD_REDIS_URL"] = _with_options(redis_url)
    rq_dashboard.web.setup_rq_connection(app)
    app.before_request(_change_by_post_only)
    app.after_request(_allow_own_script)
    app.register_blueprint(rq_dashboard.blueprint, url_prefix=PREFIX + "/rq")


def _with_options(redis_url: str) -> str:
    """`redis_url` with all that a connection needs to know, as the dashboard takes nothing else."""
    options: dict[str, Any] = {"socket_timeout": WAIT_SECONDS, "socket_connect_timeout": WAIT_SECONDS}
    if tls_options(redis_url):
        options |= {"ssl_cert_reqs": "none", "ssl_check_hostname": "False"}
    return f"{plain_url(redis_url)}{'&' if '?' in redis_url else '?'}{urlencode(options)}"


def _change_by_post_only() -> None:
    if request.endpoint == f"{rq_dashboard.blueprint.name}.requeue_all" and request.method != "POST":
        raise MethodNotAllowed(["POST"])


def _allow_own_script(response: Response) -> Response:
    if request.blueprint == rq_dashboard.blueprint.name and response.mimetype == "text/html":
        digests = [hashlib.sha256(script.encode()).digest() for script in _OWN_SCRIPT.findall(response.get_data(True))]
        hashes = " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
        response.headers["Content-Security-Policy"] = (
            f"default-src 'self'; script-src 'self' 'unsafe-eval' {hashes}; style-src 'self' 'unsafe-inline';"
            " img-src 'self' data:; frame-ancestors 'none'; base-uri 'self'; form-action 'self'; object-src 'none'"
        )
    return response
