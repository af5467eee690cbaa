"""The exchange with the ERP at /ops/erp/: how it stands, what was refused or came in wrong, and whether both agree."""

import io
from base64 import b64encode
from collections.abc import Callable
from contextvars import Context
from datetime import UTC, datetime, timedelta
from typing import Any, TextIO, TypeVar

from flask import Blueprint, Response, current_app, flash, jsonify, redirect, render_template, request
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response as BaseResponse

from storefront.core.errors import Refusal, Unavailable
from storefront.core.tools import take
from storefront.erp import buffer, delivery, inbound
from storefront.erp.adapter import ErpError
from storefront.erp.documents import Document
from storefront.erp.events.rows import replay
from storefront.erp.exchange import Exchange
from storefront.erp.reconcile import KINDS, Report, reconcile
from storefront.ops import erp_facts, erp_report
from storefront.ops.erp_forms import ButtonForm, DaysForm, LetterForm
from storefront.ops.login import operator
from storefront.orders.models import number_of

TURN_SECONDS = 5.0
DAYS = 7  # of a reconciliation where nobody has chosen
ROWS_MOST = 200  # of a table; the downloads have all
BUSY = "Another process is talking to the ERP just now, most likely the worker. Try again in a moment."

Answer = TypeVar("Answer")

pages = Blueprint("ops_erp", __name__, url_prefix="/ops/erp")


def _page(template: str, tab: str, **content: Any) -> str:
    exchange, channel = take("exchange"), _channel()
    standing = erp_facts.look(exchange, channel)
    return render_template(
        template,
        tab=tab,
        standing=standing,
        channel=channel,
        channels=erp_facts.channels(exchange.room),
        form=ButtonForm(),
        most=ROWS_MOST,
        number_of=number_of,
        **content,
    )


def _channel() -> str:
    name = request.args.get("channel", "erp")
    if name not in erp_facts.CHANNELS:
        raise NotFound
    return name


def _at_length(step: Callable[[], Answer]) -> Answer:
    """Take a step that may last longer than a shopper would wait: the deadline of the request does not bind it."""
    return Context().run(step)


def _refused() -> bool:
    """Whether a button came without the token of its page; then that is told."""
    if ButtonForm().validate():
        return False
    flash("The page was too old. Try it again.", "error")
    return True


def _try(step: Callable[[], Any], done: str) -> bool:
    """Take a step and tell how it went; an outage is told as it is."""
    try:
        answer = step()
    except Unavailable:
        raise
    except Refusal as refusal:
        flash(refusal.detail, "error")
        return False
    flash(done.format(answer), "success")
    return True


def _to(path: str = "", channel: str = "erp") -> BaseResponse:
    return redirect(f"/ops/erp/{path}" + (f"?channel={channel}" if channel != "erp" else ""), 303)


# -- how it stands --------------------------------------------------------------------------------------------------


@pages.get("/")
def show() -> str:
    page = max(1, request.args.get("page", 1, int))
    found, more = erp_facts.batches_of(take("stockroom"), _channel(), page)
    return _page("ops/erp.html", "status", batches=found, page=page, more=more)


@pages.post("/send")
def send() -> BaseResponse:
    if _refused():
        return _to()
    exchange = take("exchange")
    done = _at_length(lambda: delivery.deliver(exchange, now=True, seconds=TURN_SECONDS))
    if done.busy:
        flash(BUSY, "error")
    elif done.error:
        flash(f"The ERP did not answer as agreed. {done.error}", "error")
    else:
        answers = ", ".join(f"{number} {word.replace('_', ' ')}" for word, number in done.outcomes.items())
        flash(f"Batches sent: {done.batches}. Answers: {answers or 'none'}.", "success")
    return _to()


@pages.post("/read")
def read() -> BaseResponse:
    return _to() if _refused() else _read(take("exchange"))


@pages.post("/accept-gap")
def accept_gap() -> BaseResponse:
    if _refused():
        return _to()
    current_app.logger.warning("%s goes on after a missing snapshot of the ERP", operator())
    return _read(take("exchange"), accept_gap=True)


def _read(exchange: Exchange, accept_gap: bool = False) -> BaseResponse:
    done = _at_length(lambda: inbound.read_stock(exchange, now=True, accept_gap=accept_gap))
    if done.busy:
        flash(BUSY, "error")
    elif done.error:
        flash(f"Not taken in: {done.alarm or done.error}", "error")
    elif done.snapshots:
        changed = sum(len(one.changed) for one in done.snapshots)
        flash(f"Taken in: {', '.join(one.source for one in done.snapshots)}. SKUs changed: {changed}.", "success")
    else:
        flash("There is nothing new.", "success")
    return _to()


# -- dead letters ---------------------------------------------------------------------------------------------------


@pages.get("/letters")
def list_letters() -> str:
    return _page("ops/erp_letters.html", "letters", letters=buffer.dead_letters(take("stockroom"), _channel()))


@pages.post("/letters/retry")
def retry_all() -> BaseResponse:
    channel = _channel()
    if not _refused():
        _try(lambda: buffer.retry(take("stockroom"), channel=channel), "Sent again: {}.")
    return _to("letters", channel)


@pages.post("/letters/<int:row_id>/retry")
def retry(row_id: int) -> BaseResponse:
    channel = _channel()
    if not _refused():
        _try(lambda: buffer.retry(take("stockroom"), [row_id], channel), "It will be sent again.")
    return _to("letters", channel)


@pages.get("/letters/<int:row_id>")
def show_letter(row_id: int) -> str:
    row, document = erp_facts.read_letter(take("stockroom"), row_id)
    return _letter(row, document, LetterForm.of(document))


@pages.post("/letters/<int:row_id>")
def edit(row_id: int) -> BaseResponse | tuple[str, int]:
    room, form = take("stockroom"), LetterForm()
    row, document = erp_facts.read_letter(room, row_id)
    if not form.validate():
        return _letter(row, document, form), 422
    _try(
        lambda: buffer.edit_and_retry(room, row_id, form.edits(document), operator()),
        "It is changed for the ERP, and will be sent again.",
    )
    return _to("letters")


def _letter(row: Any, document: Document, edited: LetterForm) -> str:
    return _page("ops/erp_letter.html", "letters", row=row, document=document, edited=edited)


@pages.get("/events")
def list_events() -> str:
    page = max(1, request.args.get("page", 1, int))
    found, more = erp_facts.events_of(take("stockroom"), page)
    return _page("ops/erp_events.html", "events", events=found, page=page, more=more)


@pages.post("/events/<int:row_id>/replay")
def replay_event(row_id: int) -> BaseResponse:
    if not _refused():
        _try(lambda: replay(take("stockroom"), [row_id]), "The event will be sent again.")
    return _to("events")


# -- what came in wrong, and what is short --------------------------------------------------------------------------


@pages.get("/problems")
def list_problems() -> str:
    return _page("ops/erp_problems.html", "problems", problems=erp_facts.problems_of(take("stockroom")))


@pages.post("/problems/put-away")
@pages.post("/problems/<int:problem_id>/put-away")
def put_away(problem_id: int | None = None) -> BaseResponse:
    if not _refused():
        _try(lambda: erp_facts.put_away(take("stockroom"), operator(), problem_id), "Put away: {}.")
    return _to("problems")


@pages.get("/shortfalls")
def list_shortfalls() -> str:
    return _page("ops/erp_shortfalls.html", "shortfalls", shortfalls=erp_facts.shortfalls(take("stockroom")))


# -- reconciliation -------------------------------------------------------------------------------------------------


@pages.get("/reconciliation")
def show_reconciliation() -> str:
    days = _days()
    report, error = _report(days)
    chart = _chart(report) if report and report.cells else ""
    return _page(
        "ops/erp_reconciliation.html", "reconciliation",
        days=days, report=report, error=error, chart=chart, kinds=KINDS,
        query=request.query_string.decode("ascii", "ignore"),
    )  # fmt: skip


def _chart(report: Report) -> str:
    """The chart for an image's address; what draws it is not loaded before somebody looks."""
    from storefront.ops.erp_chart import chart

    return b64encode(chart(report).encode()).decode()


def _days() -> DaysForm:
    today = datetime.fromtimestamp(take("stockroom").now_ms() / 1000, UTC).date()
    if request.args:
        return DaysForm(request.args)
    return DaysForm(first=today - timedelta(days=DAYS - 1), last=today)


def _report(days: DaysForm) -> tuple[Report | None, str]:
    """The report, or why there is none."""
    if request.args and not days.validate():
        return None, "A day has to be written like 2026-11-23."
    exchange = take("exchange")
    try:
        return _at_length(lambda: reconcile(exchange, days.first.data, days.last.data)), ""
    except ErpError as error:
        return None, f"The books of the ERP cannot be read. {error}"


@pages.get("/reconciliation.json")
def reconciliation_as_json() -> Response:
    return _attach(jsonify(erp_report.as_json(_downloaded())), "reconciliation.json")


@pages.get("/reconciliation.csv")
def differences_as_csv() -> Response:
    return _csv(erp_report.write_differences, "reconciliation.csv")


@pages.get("/reconciliation-days.csv")
def days_as_csv() -> Response:
    return _csv(erp_report.write_days, "reconciliation-days.csv")


def _csv(write: Callable[[Report, TextIO], None], name: str) -> Response:
    file = io.StringIO(newline="")
    write(_downloaded(), file)
    return _attach(Response(file.getvalue(), mimetype="text/csv"), name)


def _downloaded() -> Report:
    report, error = _report(_days())
    if report is None:
        raise Unavailable(error, retry_after=60)
    return report


def _attach(response: Response, name: str) -> Response:
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
