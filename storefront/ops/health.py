"""Health: is this process alive, and may it be sent visitors."""

from flask import Blueprint, Response, current_app, jsonify
from redis.exceptions import RedisError, ResponseError
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from storefront.core.tools import take
from storefront.ops.redis_settings import complaints
from storefront.stock.rebuild import is_open

PROBE = "ops:probe"  # string: written to see whether Redis takes writes
PROBE_SECONDS = 60

pages = Blueprint("health", __name__, url_prefix="/healthz")


@pages.get("/live")
def alive() -> Response:
    return jsonify(status="ok")


@pages.get("/ready")
def ready() -> Response:
    """200 when database, Redis, the gate and the relay are all well, else 503 that names what is not.

    `warnings` name settings of Redis that are dangerous and yet no reason to stop.
    """
    answers = checks()
    good = all(answer == "ok" for answer in answers.values())
    response = jsonify(status="ok" if good else "not ready", checks=answers, warnings=warnings())
    if not good:
        response.status_code = 503
        response.headers["Retry-After"] = "1"
    return response


def checks() -> dict[str, str]:
    """Each thing this process depends on: "ok", or what is wrong with it."""
    return {"database": _database(), "stock": _stock(), "relay": _relay()}


def _database() -> str:
    try:
        with Session(take("stockroom").engine) as session:
            session.execute(text("SELECT 1"))
    except SQLAlchemyError as error:
        return f"the database does not answer ({type(error).__name__})"
    return "ok"


def _stock() -> str:
    room = take("stockroom")
    try:
        if is_open(room):
            room.unfenced.set(PROBE, "", ex=PROBE_SECONDS)
            return "ok"
    except ResponseError as refusal:  # full, read-only, or without its disk
        return f"the stock can be read but not changed: {refusal}"
    except (RedisError, SQLAlchemyError) as error:
        return f"the stock cannot be read ({type(error).__name__})"
    room.on_closed(room, "")
    return "the stock is being rebuilt"


def warnings() -> list[str]:
    """What is dangerous in the settings of the stock's Redis, though all may be well now."""
    try:
        return complaints(take("stockroom").unfenced)
    except RedisError:
        return []  # the checks have told of it


def _relay() -> str:
    if "relay" not in current_app.extensions:
        return "ok"  # not a serving process
    return "ok" if take("relay").hearing else "the relay does not hear the stock channel"
