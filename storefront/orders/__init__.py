"""Orders: the checkout that turns holds into a sale, and what becomes of it."""

from flask import Flask

from storefront.orders import routes


def init_app(app: Flask) -> None:
    app.register_blueprint(routes.pages)
    app.register_blueprint(routes.api)
