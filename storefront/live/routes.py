"""The snapshot over HTTP."""

from flask import Blueprint, jsonify, request
from werkzeug.wrappers import Response as BaseResponse

from storefront.core.tools import take
from storefront.live.snapshot import check_skus, snapshot

api = Blueprint("live_api", __name__, url_prefix="/api/v1")


@api.get("/stock")
def show() -> BaseResponse:
    response = jsonify(snapshot(take("stockroom"), check_skus(request.args.getlist("sku"))))
    response.add_etag()
    response.cache_control.no_cache = True
    return response.make_conditional(request)
