"""The catalogue over HTTP: the listing and the product page, and both as JSON."""

from typing import Any

from flask import Blueprint, Response, jsonify, render_template, request
from markupsafe import Markup
from sqlalchemy.orm import Session

from storefront.catalog.listing import MOST_PER_PAGE, Page, find_product, list_products
from storefront.catalog.models import Product, Variant
from storefront.core.db import db
from storefront.core.errors import InvalidInput

PER_PAGE = 24  # products on a page for people
PER_ANSWER = 50  # products in an answer for programs that name no limit

pages = Blueprint("catalog", __name__)
api = Blueprint("catalog_api", __name__, url_prefix="/api/v1/products")


# --- pages


@pages.get("/")
def index() -> str:
    q = request.args.get("q", "").strip()
    page = _list(q, PER_PAGE)
    return render_template(
        "catalog/index.html", products=page.products, q=q, next_cursor=page.next_cursor, page_skus=page.skus
    )


@pages.get("/products/<slug>")
def product(slug: str) -> str:
    found = _find(slug)
    return render_template(
        "catalog/product.html",
        product=found,
        variants=found.variants,
        selected=_selected(found, request.args.get("sku", "")),
        body=Markup(found.body_html),  # sanitised when it came in
    )


def _selected(product: Product, sku: str) -> Variant:
    return next((variant for variant in product.variants if variant.sku == sku), product.variants[0])


# --- API


@api.get("")
def list_as_json() -> Response:
    page = _list(request.args.get("q", ""), _limit())
    return jsonify(products=[_as_json(found) for found in page.products], next_cursor=page.next_cursor)


@api.get("/<slug>")
def product_as_json(slug: str) -> Response:
    return jsonify(_as_json(_find(slug)))


def _list(q: str, limit: int) -> Page:
    with Session(db.engine) as session:  # closed before the page is made: nobody waits for Redis with a connection
        return list_products(session, q=q, cursor=request.args.get("cursor", ""), limit=limit)


def _find(slug: str) -> Product:
    with Session(db.engine) as session:
        return find_product(session, slug)


def _limit() -> int:
    raw = request.args.get("limit", str(PER_ANSWER))
    if not (raw.isascii() and raw.isdigit() and len(raw) <= 4):
        raise InvalidInput(f"limit has to be a whole number from 1 to {MOST_PER_PAGE}.", field="limit")
    return int(raw)


def _as_json(product: Product) -> dict[str, Any]:
    variants = [
        {"sku": variant.sku, "price": f"{variant.price:.2f}", "options": variant.options}
        for variant in product.variants
    ]
    return {"slug": product.slug, "title": product.title, "variants": variants}
