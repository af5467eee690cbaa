"""Ops: what the people who run the shop see and do."""

from flask import Flask

from storefront.core.config import Settings
from storefront.ops import console, health, login, rq_dashboard, stock_commands


def init_app(app: Flask, settings: Settings) -> None:
    """Add health checks, the console behind its login, and the stock commands."""
    login.init_app(app, settings)
    app.register_blueprint(health.pages)
    app.register_blueprint(console.pages)
    app.cli.add_command(stock_commands.stock)


def serve(app: Flask, redis_url: str) -> None:
    """Mount what only a serving process needs."""
    rq_dashboard.mount(app, redis_url)
