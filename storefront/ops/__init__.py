"""Ops: what the people who run the shop see and do."""

from flask import Flask
from redis import Redis
from redis.exceptions import RedisError

from storefront.core.config import Settings
from storefront.core.times import iso
from storefront.ops import (
    console,
    erp_commands,
    erp_pages,
    health,
    login,
    rq_dashboard,
    sale_commands,
    sale_pages,
    stock_commands,
)
from storefront.ops.redis_settings import complaints


def init_app(app: Flask, settings: Settings) -> None:
    """Add health checks, the console behind its login, and the commands for stock, sales and the ERP."""
    login.init_app(app, settings)
    app.add_template_filter(iso, "iso")
    app.register_blueprint(health.pages)
    app.register_blueprint(console.pages)
    app.register_blueprint(sale_pages.pages)
    app.register_blueprint(erp_pages.pages)
    app.cli.add_command(stock_commands.stock)
    app.cli.add_command(sale_commands.sale)
    app.cli.add_command(erp_commands.erp)


def serve(app: Flask, redis_url: str, stock_redis: Redis) -> None:
    """Mount what only a serving process needs, and complain of what is dangerous in the settings of its Redis."""
    rq_dashboard.mount(app, redis_url)
    try:
        for complaint in complaints(stock_redis):
            app.logger.warning("Redis: %s", complaint)
    except RedisError as error:
        app.logger.warning("Redis does not answer yet: %s", error)
