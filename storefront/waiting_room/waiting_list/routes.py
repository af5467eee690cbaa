"""The waiting list over HTTP: a form and JSON to be put on it, and the page that the links in mails lead to."""

from flask import Blueprint, Flask, Response, flash, jsonify, redirect, render_template, request
from werkzeug.wrappers import Response as BaseResponse

from storefront.core.config import Settings
from storefront.core.errors import InvalidInput, Refusal
from storefront.core.mail import open_mailer
from storefront.core.shopper import remember_email
from storefront.core.tools import keep, take
from storefront.waiting_room.waiting_list import entries
from storefront.waiting_room.waiting_list.letters import Letterhead
from storefront.waiting_room.waiting_list.mails import Postman

ASKED = (
    "If this address is not on the list yet, a mail with a link is on its way to it."
    " You are on the list once you have confirmed it there."
)

pages = Blueprint("waiting_list", __name__)
api = Blueprint("waiting_list_api", __name__, url_prefix="/api/v1/sales/<slug>")


class NoWaitingList(Refusal):
    code, status, title = "no_waiting_list", 404, "This shop sends no mail, so it has no waiting list"


def init_app(app: Flask, settings: Settings) -> None:
    """Add the waiting list to `app`; in a shop that sends no mail there is none."""
    keep(app, "postman", lambda: _hire(settings))
    app.jinja_env.globals["sends_mail"] = settings.mail_url is not None
    app.register_blueprint(pages)
    app.register_blueprint(api)


def _hire(settings: Settings) -> Postman | None:
    if settings.mail_url is None:
        return None
    mailer = open_mailer(settings.mail_url, settings.mail_from)
    return Postman(take("stockroom"), mailer, Letterhead(settings.shop_name, settings.shop_url))


def _ask(slug: str, raw: object) -> None:
    if take("postman") is None:
        raise NoWaitingList(sale=slug)
    email = entries.check_email(raw)
    entries.ask(take("stockroom"), slug, email)
    remember_email(email)


@pages.post("/sales/<slug>/waiting-list")
def ask(slug: str) -> BaseResponse:
    try:
        _ask(slug, request.form.get("email"))
        flash(ASKED, "success")
    except InvalidInput as refusal:
        flash(refusal.detail, "error")
    return redirect(f"/sales/{slug}#waiting-list", 303)


@api.post("/waiting-list")
def ask_json(slug: str) -> tuple[Response, int]:
    body = request.get_json(silent=True)
    _ask(slug, body.get("email") if isinstance(body, dict) else None)
    return jsonify(sale=slug, state="asked", detail=ASKED), 202


@pages.get("/waiting-list/<token>")
def show(token: str) -> str:
    """Changes nothing: programs that look through mails open every link in them."""
    return render_template("waiting_room/waiting_list.html", entry=entries.find(take("stockroom"), token))


@pages.post("/waiting-list/<token>/confirm")
def confirm(token: str) -> BaseResponse:
    entries.confirm(take("stockroom"), token)
    return redirect(f"/waiting-list/{token}", 303)


@pages.post("/waiting-list/<token>/leave")
def leave(token: str) -> str:
    entries.leave(take("stockroom"), token)
    return render_template("waiting_room/waiting_list.html", entry=None)
