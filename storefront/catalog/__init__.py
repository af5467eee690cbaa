"""The catalogue: products and their variants, the files they come from, the pages that show them."""

from flask import Flask

from storefront.catalog import commands, routes


def init_app(app: Flask) -> None:
    """Give `app` the catalogue's pages, its API and the commands `catalog` and `demo`."""
    app.register_blueprint(routes.pages)
    app.register_blueprint(routes.api)
    app.cli.add_command(commands.catalog)
    app.cli.add_command(commands.demo)
