"""Long-poll: answers at once with what the client does not know yet, else waits for it. Keeps no session."""

from typing import Any

from flask import Blueprint, Response, jsonify, request

from storefront.core.errors import InvalidInput
from storefront.core.hand_over import CONNECTION, Connection
from storefront.core.tools import take
from storefront.live.relay import Listener, Relay
from storefront.live.sales.poll import poll_sale
from storefront.live.snapshot import check_skus
from storefront.stock.outcomes import StockChecking

WAIT_SECONDS = 20
MOST_DIGITS = 19

live = Blueprint("live_poll", __name__, url_prefix="/live")


@live.get("/poll")
def poll() -> Response | tuple[str, int]:
    if "sale" in request.args:
        return poll_sale(request.args["sale"])
    known = dict(_known(raw) for raw in request.args.getlist("sku"))
    skus = check_skus(list(known))
    relay: Relay = take("relay")
    with relay.listen(skus) as listener:
        states = relay.newest(skus) or relay.snapshot(skus)["stock"]
        news = [state for state in states if state["version"] > known[state["sku"]]]
        if not news and any(state["state"] == "checking" for state in states):
            raise StockChecking  # 20 s of silence would look like "nothing has changed"
        news = news or _wait(listener)
    if not news:
        return "", 204
    response = jsonify(stock=news)
    response.cache_control.no_store = True
    return response


def _wait(listener: Listener) -> list[dict[str, Any]]:
    """The next news, or none after a while; nobody waits on for a client that has left, where the server can tell."""
    connection: Connection | None = request.environ.get(CONNECTION)
    if not connection:
        return listener.wait(WAIT_SECONDS)
    unwatch = connection.when_gone(listener.wake)
    try:
        return listener.wait(WAIT_SECONDS)
    finally:
        unwatch()


def _known(raw: str) -> tuple[str, int]:
    sku, _, version = raw.rpartition(":")
    if not (sku and version.isascii() and version.isdigit() and len(version) <= MOST_DIGITS):
        raise InvalidInput("Give each SKU as sku=SKU:VERSION; VERSION is 0 where none is known.")
    return sku, int(version)
