"""The sales at /ops/sales/: announce one, watch it, steer it, and read its report."""

import csv
import io
from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, flash, redirect, render_template
from flask_wtf import FlaskForm
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response as BaseResponse

from storefront.core.errors import Refusal, Unavailable
from storefront.core.times import iso
from storefront.core.tools import take
from storefront.ops.login import operator
from storefront.ops.sale_facts import look, queue_of
from storefront.ops.sale_forms import MessageForm, NewSaleForm, PaceForm, VerbForm
from storefront.waiting_room import sales
from storefront.waiting_room.models import Sale
from storefront.waiting_room.report import Admitted, admissions, report
from storefront.waiting_room.sales import VERBS
from storefront.waiting_room.waiting_list import entries

COLUMNS = [
    "epoch", "number", "shopper", "lot", "ordinal", "ordinal_epoch", "proven", "came_back", "joined_at",
    "admitted_at", "waited_seconds", "state", "ended_at", "extensions", "units_ordered",
]  # fmt: skip

pages = Blueprint("ops_sales", __name__, url_prefix="/ops")


@pages.get("/sales/")
def list_all() -> str:
    room = take("stockroom")
    found = [(sale, look(room, sale.slug) if sale.state != "closed" else None) for sale in sales.all_sales(room)]
    return render_template("ops/sales.html", sales=found)


@pages.get("/new-sale")
def show_form() -> str:
    return render_template("ops/new_sale.html", form=NewSaleForm())


@pages.post("/new-sale")
def create() -> BaseResponse | tuple[str, int]:
    room, form = take("stockroom"), NewSaleForm()
    if form.validate():
        try:
            sale = sales.create(room, form.new_sale(room.now_ms()), operator())
        except Unavailable:
            raise
        except Refusal as refusal:
            flash(refusal.detail, "error")
        else:
            flash(f"{sale.title} is announced.", "success")
            return _to(sale.slug)
    return render_template("ops/new_sale.html", form=form), 422


@pages.get("/sales/<slug>")
def show(slug: str) -> str:
    room = take("stockroom")
    sale = sales.find(room, slug)
    return render_template(
        "ops/sale.html",
        sale=sale,
        verbs=_verbs(sale),
        form=VerbForm(),
        pace=PaceForm.of(sale),
        message=MessageForm.of(sale),
        changes=sales.changes(room, sale),
        report=report(room, sale),
        waiting_list=entries.count(room, sale),
        **_figures(sale),
    )


@pages.get("/sales/<slug>/figures")
def show_figures(slug: str) -> str:
    """The part of the page that a script keeps up to date."""
    sale = sales.find(take("stockroom"), slug)
    return render_template("ops/_sale_figures.html", sale=sale, **_figures(sale))


def _figures(sale: Sale) -> dict[str, Any]:
    seen = look(take("stockroom"), sale.slug)
    return {"queue": queue_of(seen) if seen else None, "is_held": bool(seen and seen.is_held)}


def _verbs(sale: Sale) -> list[str]:
    """What can be done in the state a sale is in; "open" and "resume" would come to the same."""
    verbs = [verb for verb, (states, _) in VERBS.items() if sale.state in states]
    return [verb for verb in verbs if verb != "open" or "resume" not in verbs]


@pages.post("/sales/<slug>/pace")
def set_pace(slug: str) -> BaseResponse:
    form = PaceForm()
    return _change(
        slug,
        form,
        lambda: sales.set_pace(
            take("stockroom"), slug, operator(), rate=form.rate.data, active_most=form.active_most.data
        ),
        "The pace is changed.",
    )


@pages.post("/sales/<slug>/message")
def say(slug: str) -> BaseResponse:
    form = MessageForm()
    return _change(
        slug, form, lambda: sales.say(take("stockroom"), slug, form.message.data or "", operator()), "It is said."
    )


@pages.post("/sales/<slug>/<verb>")
def change_state(slug: str, verb: str) -> BaseResponse:
    if verb not in VERBS:
        raise NotFound
    return _change(
        slug, VerbForm(), lambda: sales.change_state(take("stockroom"), slug, verb, operator()), f"Done: {verb}."
    )


def _change(slug: str, form: FlaskForm, step: Callable[[], Sale], done: str) -> BaseResponse:
    """Take one step and show the sale, where a refusal is told; an outage is told as it is."""
    if not form.validate():
        flash(" ".join(f"{form[name].label.text}: {' '.join(words)}" for name, words in form.errors.items()), "error")
        return _to(slug)
    try:
        step()
    except Unavailable:
        raise
    except Refusal as refusal:
        flash(refusal.detail, "error")
    else:
        flash(done, "success")
    return _to(slug)


def _to(slug: str) -> BaseResponse:
    return redirect(f"/ops/sales/{slug}", 303)


@pages.get("/sales/<slug>/admissions.csv")
def export(slug: str) -> Response:
    room = take("stockroom")
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, COLUMNS)
    writer.writeheader()
    writer.writerows(_row(one) for one in admissions(room, sales.find(room, slug)))
    response = Response(file.getvalue(), mimetype="text/csv")
    response.headers["Content-Disposition"] = f'attachment; filename="admissions-{slug}.csv"'
    return response


def _row(one: Admitted) -> dict[str, Any]:
    shown = {name: value for name, value in vars(one).items() if name in COLUMNS}
    return shown | {
        "joined_at": iso(one.joined_at_ms),
        "admitted_at": iso(one.admitted_at_ms),
        "waited_seconds": f"{one.waited_ms / 1000:.3f}",
        "ended_at": iso(one.ended_at_ms) if one.ended_at_ms else "",
    }
