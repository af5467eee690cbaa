"""The cart: what a shopper holds, told as lines. It has no memory of its own: the reservations are the cart."""

from flask import Flask

from storefront.cart import own_holds, routes


def init_app(app: Flask) -> None:
    app.register_blueprint(routes.pages)
    app.register_blueprint(routes.api)
    app.context_processor(own_holds.for_templates)
