"""Stockbeat: a storefront whose stock counts are live and true."""

from pathlib import Path

from flask import Flask, Response, send_from_directory
from sqlalchemy.orm import Session
from werkzeug.middleware.proxy_fix import ProxyFix

from storefront import cart, catalog, erp, live, ops, orders
from storefront.catalog.events import variants_imported
from storefront.core import db, deadline, errors, launch, log, money, redis, security, sessions
from storefront.core.config import PROJECT_ROOT, Settings, load_settings
from storefront.core.tools import keep, take
from storefront.orders.checkout import Till
from storefront.orders.events import order_placed
from storefront.orders.models import Order
from storefront.orders.payment import OnInvoice
from storefront.stock import intake, levels
from storefront.stock.rebuild import BackgroundRebuild
from storefront.stock.stockroom import Stockroom
from storefront.waiting_room import passes
from storefront.waiting_room import routes as waiting_room
from storefront.waiting_room.pages import routes as waiting_room_pages
from storefront.waiting_room.waiting_list import routes as waiting_list

SOCKET_IO_CLIENT = PROJECT_ROOT / "node_modules" / "socket.io-client" / "dist"
MOST_REQUEST_BYTES = 256 * 1024


def create_app(settings: Settings | None = None, *, serving: bool = False) -> Flask:
    """Put the shop together. `serving`: this process answers visitors, so it needs Socket.IO and the relay too."""
    settings = settings or load_settings()
    app = Flask(__name__)
    _configure(app, settings)
    db.init_app(app, settings.database_url, serving)
    deadline.init_app(app)
    errors.init_app(app)
    sessions.init_app(app)
    security.init_app(app)
    money.init_app(app)
    _keep_tools(app, settings)
    for folder in (catalog, cart, orders, live):
        folder.init_app(app)
    waiting_room.init_app(app)
    waiting_room_pages.init_app(app)
    waiting_list.init_app(app, settings)
    ops.init_app(app, settings)
    erp.init_app(app, settings)
    launch.init_app(app)
    _connect_folders(app)
    app.add_url_rule("/static/vendor/<name>", "vendor", _vendor)
    if serving:
        _serve(app, settings)
    if settings.trusted_proxies:
        hops = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops)  # type: ignore[method-assign]
    return app


def _configure(app: Flask, settings: Settings) -> None:
    app.extensions["settings"] = settings
    app.config.update(
        SECRET_KEY=settings.secret_key,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_REFRESH_EACH_REQUEST=False,  # signing it each time cost a sixth of an add; see core/shopper.py
        SESSION_COOKIE_SECURE=not settings.development,
        MAX_CONTENT_LENGTH=MOST_REQUEST_BYTES,
        WTF_CSRF_TIME_LIMIT=None,
    )
    app.jinja_env.globals["shop_name"] = settings.shop_name
    app.json.sort_keys = False  # type: ignore[attr-defined]


def _keep_tools(app: Flask, settings: Settings) -> None:
    keep(app, "redis_url", lambda: redis.redis_url(settings))
    keep(app, "stockroom", lambda: _open_stockroom(settings))
    keep(app, "till", lambda: Till(OnInvoice(), settings.currency, settings.tax_percent))


def _open_stockroom(settings: Settings) -> Stockroom:
    url = settings.stock_redis_url or take("redis_url")
    healing = BackgroundRebuild()
    return Stockroom(
        redis=redis.connect(url),
        unfenced=redis.connect(url, max_connections=20),
        engine=db.db.engine,
        hold_ms=settings.hold_seconds * 1000,
        durability=settings.hold_durability,
        low_stock_threshold=settings.low_stock_threshold,
        on_closed=healing.start,
        is_healing=healing.is_running,
    )


def _connect_folders(app: Flask) -> None:
    """What a folder tells those that must not be known to it."""
    variants_imported.connect(_take_in)
    order_placed.connect(_end_passes)
    app.jinja_env.globals["levels_of"] = lambda skus: levels.read(take("stockroom"), skus)
    app.extensions["units_of"] = lambda skus: {
        account.sku: account.on_hand for account in levels.accounts(take("stockroom"), skus)
    }


def _take_in(_sender: object, *, session: Session, units: dict[str, int], set_stock: bool) -> None:
    intake.take_in(take("stockroom"), session, units, set_stock)


def _end_passes(_sender: object, *, session: Session, order: Order, now_ms: int) -> None:
    passes.end_with(take("stockroom"), session, order.shopper, [line.sku for line in order.lines])


def _serve(app: Flask, settings: Settings) -> None:
    log.start_logging()
    with app.app_context():
        url = take("redis_url")
        bus = redis.connect(settings.stock_redis_url or url, max_connections=2)
    app.extensions["socketio"] = live.serve(app, settings, bus)
    with app.app_context():
        room = take("stockroom")
        ops.serve(app, url, room.unfenced)
        room.on_closed(room, "")  # the first visitor should not be the one who finds the gate closed


def _vendor(name: str) -> Response:
    """Files of the Socket.IO client as npm brought them; where it could not, pages go on without."""
    return send_from_directory(Path(SOCKET_IO_CLIENT), name, max_age=86400)
