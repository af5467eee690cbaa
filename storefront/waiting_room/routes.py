"""The waiting room over HTTP: JSON for programs."""

from email_validator import EmailNotValidError, validate_email
from flask import Blueprint, Flask, Response, jsonify, request
from werkzeug.wrappers import Response as BaseResponse

from storefront.core.errors import InvalidInput
from storefront.core.shopper import remember_email, shopper, shopper_at_change
from storefront.core.times import iso
from storefront.core.tools import keep, take
from storefront.waiting_room import queue, sales
from storefront.waiting_room.answers import place_json, sale_json
from storefront.waiting_room.joining import Entrance, Joiner
from storefront.waiting_room.outcomes import Joined, NoTicket, Place, Queue, Ticket
from storefront.waiting_room.tickets import Signer

COOKIE_SECONDS = 7 * 86_400

api = Blueprint("waiting_room_api", __name__, url_prefix="/api/v1/sales/<slug>")


def init_app(app: Flask) -> None:
    """Add the routes of the waiting room to `app`, and what they need."""
    keep(app, "entrance", lambda: Entrance(take("stockroom")))
    keep(app, "tickets", lambda: Signer(app.config["SECRET_KEY"]))
    app.register_blueprint(api)


# --- what pages, programs and live lines have in common


def ticket_of(slug: str) -> Ticket | None:
    """The ticket that came with this request; one of another shopper is none."""
    who = shopper()
    signed = request.cookies.get(cookie_of(slug))
    ticket = take("tickets").read(slug, signed) if who and signed else None
    if ticket and ticket.shopper == who:
        return ticket
    return Ticket(who, 0, 0, False) if who else None


def cookie_of(slug: str) -> str:
    return f"ticket_{slug}"


def keep_ticket(response: BaseResponse, slug: str, signed: str) -> None:
    """Let the browser keep a ticket; nothing in it needs the quoting that costs `set_cookie` most of its time."""
    secure = "Secure; " if request.is_secure else ""
    flags = f"{secure}HttpOnly; Path=/; SameSite=Lax"
    response.headers.add("Set-Cookie", f"{cookie_of(slug)}={signed}; Max-Age={COOKIE_SECONDS}; {flags}")


def join(slug: str, email: str) -> Joined:
    """Give the shopper of this request a place, or the one he has. Raises as `Entrance.join`, and InvalidInput."""
    entrance = take("entrance")
    if entrance.asks_for_email(slug):
        email = _checked(email)
        remember_email(email)
    return entrance.join(Joiner(slug, shopper_at_change(), email, ticket_of(slug)))


def _checked(email: str) -> str:
    try:
        return validate_email(email, check_deliverability=False).normalized
    except EmailNotValidError as error:
        raise InvalidInput(f"This sale asks for your e-mail address. {error}", field="email") from error


def my_place(slug: str) -> tuple[Queue, Place]:
    """The queue and the place of this request's shopper; one who was let in has shown up by asking."""
    take("entrance").require(slug)
    ticket = ticket_of(slug)
    seen, places = sales.look(take("stockroom"), slug, [ticket] if ticket else [])
    place = places[0] if places else Place("none")
    if place.state == "granted":
        place = queue.arrive(take("stockroom"), slug, place_holder(ticket))
    return seen, place


def place_holder(ticket: Ticket | None) -> str:
    if ticket is None:
        raise NoTicket
    return ticket.shopper


# --- API


@api.get("")
def show(slug: str) -> Response:
    take("entrance").require(slug)
    seen, _ = sales.look(take("stockroom"), slug)
    facts = {"title": seen.title, "skus": seen.skus, "limit": seen.limit_units}
    return jsonify({**sale_json(seen), **facts})


@api.post("/tickets")
def take_ticket(slug: str) -> tuple[Response, int]:
    body = request.get_json(silent=True) if _has_json() else {}
    if not isinstance(body, dict) or not isinstance(body.get("email", ""), str):
        raise InvalidInput("Send a JSON object; email, where the sale asks for it, is a text.")
    joined = join(slug, body.get("email", ""))
    signed = take("tickets").sign(slug, joined.ticket)
    response = jsonify(
        sale=slug,
        ticket=signed,
        ordinal=joined.ticket.ordinal or None,
        position=joined.position,
        state="admitted" if joined.state == "admitted" else "waiting",
    )
    keep_ticket(response, slug, signed)
    return response, 201 if joined.state == "joined" else 200


def _has_json() -> bool:
    return request.content_length != 0 and request.is_json and bool(request.data)


@api.get("/tickets/me")
def show_ticket(slug: str) -> Response:
    seen, place = my_place(slug)
    if place.state == "none" and cookie_of(slug) not in request.cookies:
        raise NoTicket(sale=slug)
    response = jsonify(place_json(seen, place))
    response.headers["Cache-Control"] = "no-store"
    if place.ticket and cookie_of(slug) not in request.cookies:
        keep_ticket(response, slug, take("tickets").sign(slug, place.ticket))
    return response


@api.delete("/tickets/me")
def give_up(slug: str) -> tuple[Response, int]:
    take("entrance").require(slug)
    who = shopper()
    if who:
        queue.leave(take("stockroom"), slug, who)
    return Response(), 204


@api.post("/tickets/me/extend")
def extend(slug: str) -> Response:
    take("entrance").require(slug)
    expires_at_ms = queue.extend_pass(take("stockroom"), slug, place_holder(ticket_of(slug)))
    return jsonify({"sale": slug, "pass_expires_at": iso(expires_at_ms)})
