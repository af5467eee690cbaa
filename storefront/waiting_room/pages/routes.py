"""The pages of a sale. All that a shopper can do works as a plain form; scripts only keep the page true."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from flask import Blueprint, Flask, Response, flash, redirect, render_template, request, url_for
from redis.exceptions import RedisError
from werkzeug.wrappers import Response as BaseResponse

from storefront.core.errors import Refusal, Unavailable
from storefront.core.shopper import shopper, shopper_at_change
from storefront.core.times import iso
from storefront.core.tools import keep, take
from storefront.stock.outcomes import StockChecking
from storefront.waiting_room import queue, sales
from storefront.waiting_room.answers import place_json, sale_json
from storefront.waiting_room.outcomes import ADMITTED, NothingToMove, Place, Ticket
from storefront.waiting_room.pages import wording
from storefront.waiting_room.pages.links import PlaceLinks
from storefront.waiting_room.pages.showcase import Showcase, Shown
from storefront.waiting_room.receipt import receipt
from storefront.waiting_room.routes import COOKIE_SECONDS, cookie_of, join, keep_ticket, my_place, ticket_of

NEAR = 20  # in line; a page without scripts looks twice as often then
VERY_SOON, SOON, LATER, MUCH_LATER = 3, 5, 10, 30  # seconds until such a page looks again

pages = Blueprint("waiting_room", __name__, url_prefix="/sales/<slug>")


def init_app(app: Flask) -> None:
    """Add the pages to `app`, and to its templates what other pages say of sales."""
    keep(app, "showcase", lambda: Showcase(take("stockroom")))
    keep(app, "place_links", lambda: PlaceLinks(app.config["SECRET_KEY"]))
    app.register_blueprint(pages)
    app.jinja_env.globals.update(sale_gates=sale_gates, sales_on_show=sales_on_show)
    app.jinja_env.globals["sale_words"] = wording


def sales_on_show() -> list[dict[str, str]]:
    """What the front page says of the sales that there are."""
    found = sales.on_show(take("stockroom"))
    return [
        {"slug": one.slug, "title": one.title, "state": one.state, "opens_at": iso(one.opens_at_ms)} for one in found
    ]


def sale_gates(skus: Iterable[str]) -> dict[str, str]:
    """Which of `skus` the shopper of this request gets through the waiting room only: SKU -> the sale's slug."""
    gates = sales.gates(take("stockroom"), list(skus))
    closed = {slug: not _is_in(slug) for slug in set(gates.values())}
    return {sku: slug for sku, slug in gates.items() if closed[slug]}


def _is_in(slug: str) -> bool:
    """Whether the shopper of this request has been let in. Where nobody can tell, the click will."""
    ticket = ticket_of(slug)
    if ticket is None:
        return False
    try:
        return sales.look(take("stockroom"), slug, [ticket])[1][0].state in ADMITTED
    except Refusal:
        return False


# --- the sale


@pages.get("")
def show(slug: str) -> Response:
    shown = take("showcase").of(slug)
    try:
        seen, place = my_place(slug)
    except (StockChecking, RedisError):
        return _checking_page(slug, shown)
    never_here = place.state == "none" and cookie_of(slug) not in request.cookies
    sale, mine = sale_json(seen), None if never_here else place_json(seen, place)
    view = wording.view_of(seen.state, mine["state"] if mine else None)
    track = Track.of(request.cookies.get(Track.cookie_of(slug), ""), place.position)
    response = Response(
        render_template(
            "waiting_room/sale.html", slug=slug, shown=shown, sale=sale, place=mine, view=view, track=track,
            refresh=_refresh_seconds(view, place), has_opened=shown.sale.opened_at_ms is not None,
            opens_at=iso(seen.opens_at_ms), lobby_opens_at=iso(shown.lobby_opens_at_ms or seen.opens_at_ms),
        ),
        mimetype="text/html",
    )  # fmt: skip
    response.headers["Cache-Control"] = "no-store"
    if place.ticket and cookie_of(slug) not in request.cookies:
        keep_ticket(response, slug, take("tickets").sign(slug, place.ticket))
    track.keep(response, slug)
    return response


def _checking_page(slug: str, shown: Shown) -> Response:
    """While nobody can tell how the queue stands: that it is kept, and a page that looks again by itself."""
    page = render_template("waiting_room/checking.html", slug=slug, shown=shown, refresh=VERY_SOON)
    return Response(page, 503, {"Retry-After": str(VERY_SOON), "Cache-Control": "no-store"}, mimetype="text/html")


def _refresh_seconds(view: str, place: Place) -> int | None:
    """When a page without scripts looks again; never while there may be something typed in or to be read."""
    if view == "waiting":
        return SOON if place.position and place.position <= NEAR else LATER
    return MUCH_LATER if view in ("announced", "sold_out") else None


@dataclass(frozen=True)
class Track:
    """Where somebody began to wait, and where he was last: for the bar, and to say why he is farther back."""

    start: int  # 0: not known yet
    last: int
    rise: int = 0  # by how much he is farther back than when he last looked

    @classmethod
    def of(cls, kept: str, position: int | None) -> "Track":
        start, _, last = kept.partition(".")
        known = [int(one) if one.isascii() and one.isdigit() and len(one) < 10 else 0 for one in (start, last)]
        if not position:
            return cls(*known)
        rise = position - known[1] if known[1] and position > known[1] else 0
        return cls(max(known[0], position), position, rise)

    @staticmethod
    def cookie_of(slug: str) -> str:
        return f"line_{slug}"

    def keep(self, response: Response, slug: str) -> None:
        if self.start:
            value = f"{self.start}.{self.last}"
            response.set_cookie(
                self.cookie_of(slug), value, max_age=COOKIE_SECONDS, path=f"/sales/{slug}", samesite="Lax"
            )


@pages.post("/join")
def take_place(slug: str) -> BaseResponse:
    def step() -> Ticket:
        return join(slug, request.form.get("email", "").strip()).ticket

    return _change(slug, step)


@pages.post("/extend")
def extend(slug: str) -> BaseResponse:
    take("entrance").require(slug)
    return _change(slug, lambda: _extend(slug))


def _extend(slug: str) -> None:
    queue.extend_pass(take("stockroom"), slug, shopper_at_change())
    flash("You have more time.", "success")


@pages.get("/leave")
def ask_whether_to_leave(slug: str) -> str:
    seen, place = my_place(slug)
    return render_template("waiting_room/leave.html", slug=slug, seen=seen, place=place_json(seen, place))


@pages.post("/leave")
def leave(slug: str) -> BaseResponse:
    take("entrance").require(slug)
    who = shopper()
    if who:
        queue.leave(take("stockroom"), slug, who)
    flash("You have left the line.", "info")
    response = _to_sale(slug)
    response.delete_cookie(cookie_of(slug))
    response.delete_cookie(Track.cookie_of(slug), path=f"/sales/{slug}")
    return response


def _change(slug: str, step: Callable[[], Ticket | None]) -> BaseResponse:
    """Take one step and show the sale, where a refusal is told; an outage is told as it is."""
    response = _to_sale(slug)
    try:
        ticket = step()
    except Unavailable:
        raise
    except Refusal as refusal:
        flash(refusal.detail, "error")
        return response
    if ticket:
        keep_ticket(response, slug, take("tickets").sign(slug, ticket))
        response.delete_cookie(Track.cookie_of(slug), path=f"/sales/{slug}")
    return response


def _to_sale(slug: str) -> BaseResponse:
    return redirect(url_for("waiting_room.show", slug=slug), 303)


# --- taking a place along to another device


@pages.post("/place")
def make_link(slug: str) -> str:
    place = _place_to_move(slug, ticket_of(slug))
    token = take("place_links").make(slug, place)
    link = url_for("waiting_room.show_link", slug=slug, token=token, _external=True)
    return render_template("waiting_room/place_link.html", slug=slug, shown=take("showcase").of(slug), link=link)


@pages.get("/place/<token>")
def show_link(slug: str, token: str) -> str:
    shown = take("showcase").of(slug)
    giver = take("place_links").read(slug, token)
    _place_to_move(slug, giver)
    is_here = giver.shopper == shopper()
    return render_template("waiting_room/take_place.html", slug=slug, shown=shown, is_here=is_here)


@pages.post("/place/<token>")
def move_here(slug: str, token: str) -> BaseResponse:
    take("entrance").require(slug)
    giver = take("place_links").read(slug, token)
    place = _place_to_move(slug, giver)
    taker = shopper_at_change()
    queue.move(take("stockroom"), slug, giver.shopper, taker)
    flash("Your place is on this device now.", "success")
    response = _to_sale(slug)
    moved = Ticket(taker, place.epoch, place.ordinal, place.drawn)
    keep_ticket(response, slug, take("tickets").sign(slug, moved))
    return response


def _place_to_move(slug: str, ticket: Ticket | None) -> Ticket:
    """The place of a ticket's holder, as it stands now. Raises NothingToMove where he has none, or another one."""
    take("entrance").require(slug)
    found = sales.look(take("stockroom"), slug, [ticket])[1][0] if ticket else Place("none")
    if found.state in ADMITTED and ticket:
        return ticket
    given = (ticket.epoch, ticket.ordinal) if ticket else (0, 0)
    if found.ticket is None or given not in ((0, 0), (found.ticket.epoch, found.ticket.ordinal)):
        raise NothingToMove(sale=slug)
    return found.ticket


# --- what became of a place


@pages.get("/receipt")
def show_receipt(slug: str) -> Response:
    take("entrance").require(slug)
    ticket = ticket_of(slug)
    found = receipt(take("stockroom"), slug, ticket) if ticket else None
    response = Response(render_template("waiting_room/receipt.html", slug=slug, receipt=found), mimetype="text/html")
    response.headers["Cache-Control"] = "no-store"
    return response
