"""The web process with one route more: `/bare/`, a Flask app that has nothing but it, on the same server.

What a request costs at the very least is measured there, beside what the shop's own requests cost.
"""

import runpy
from collections.abc import Callable
from typing import Any

import eventlet


def with_bare_route(make_shop: Callable[..., Any]) -> Callable[..., Any]:
    """`make_shop`, and the bare app mounted in what it makes."""
    from flask import Flask
    from werkzeug.middleware.dispatcher import DispatcherMiddleware

    def create_app(*arguments: Any, **options: Any) -> Flask:
        bare = Flask("bare")
        bare.add_url_rule("/", "bare", lambda: {"bare": True})
        shop = make_shop(*arguments, **options)
        shop.wsgi_app = DispatcherMiddleware(shop.wsgi_app, {"/bare": bare})
        return shop

    return create_app


def main() -> None:
    """Run wsgi.py as `python wsgi.py` does."""
    eventlet.monkey_patch()
    import storefront  # not before the patch

    storefront.create_app = with_bare_route(storefront.create_app)
    runpy.run_path("wsgi.py", run_name="__main__")


if __name__ == "__main__":
    main()
