"""What the ERP answers, read strictly: what is not as agreed is named, and what is around it counts."""

import json
import logging
from collections.abc import Collection, Sequence
from hashlib import sha256
from typing import Any, get_args

from storefront.erp.adapter import AppliedSet, BookedLine, Outcome, Problem, Result, Snapshot, Wanted
from storefront.erp.adapters.webhook.fields import Field, NotAgreed, opened
from storefront.erp.signed_calls import in_short

OUTCOMES: tuple[str, ...] = get_args(Outcome)
MOST_UNITS = 2**31 - 1
MOST_ID = 2**63 - 1
LONGEST_POINTER = 64
log = logging.getLogger(__name__)


def read_health(body: bytes) -> str:
    """The ERP's own words on how it is. Raises NotAgreed, as all of these."""
    return in_short(opened(body)["message"].text())


def read_results(body: bytes, asked: Sequence[str]) -> list[Result]:
    """What the ERP says of the documents that were asked about.

    A result that is not as agreed says nothing of its document: it is unknown, in words that name the field.
    """
    found: dict[str, Result] = {}
    for field in opened(body)["results"]:
        result = _result(field, asked)
        if result and found.setdefault(result.key, result) != result:
            found[result.key] = Result(result.key, "unknown", f"{field.pointer}: contradicts a result before it")
    return [*found.values()]


def _result(field: Field, asked: Sequence[str]) -> Result | None:
    try:
        key = _asked(field["key"], asked)
    except NotAgreed as error:
        log.warning("a result of the ERP's is left aside: %s", error)
        return None
    try:
        words, erp_id = in_short(field["message"].text("")), in_short(field["erp_id"].text(""))
        return Result(key, _outcome(field["outcome"]), words, erp_id)
    except NotAgreed as error:
        log.warning("what the ERP says of %s cannot be read: %s", key, error)
        return Result(key, "unknown", str(error))


def _asked(field: Field, asked: Collection[str]) -> str:
    if field.text() not in asked:
        raise field.wrong("is no key that was asked about")
    return field.text()


def _outcome(field: Field) -> Any:
    if field.text() not in OUTCOMES:
        raise field.wrong(f"is none of {', '.join(OUTCOMES)}")
    return field.value


def read_snapshot(body: bytes, wanted: Wanted) -> Snapshot:
    """The figures of the ERP; one that is not as agreed is a problem of its own.

    Its hash covers the SKUs that were asked about: a shop that asks about more has to hear the same figures again.
    """
    answer = opened(body)
    if answer["stock"].text() != "promisable":
        raise answer["stock"].wrong("is not promisable")
    problems: list[Problem] = []
    applied = _applied(answer["applied"], wanted.pending, problems)
    figures = _figures(answer["figures"], problems)
    content = json.dumps([sorted(wanted.skus), sorted(applied), sorted(figures.items())])
    return Snapshot(
        source="/stock",
        sequence=answer["sequence"].whole(1, MOST_ID),
        content_hash=sha256(content.encode()).hexdigest(),
        as_of_ms=answer["as_of"].time_ms(),
        stock="promisable",
        watermark=AppliedSet(frozenset(applied)),
        figures=figures,
        problems=problems,
    )


def _applied(field: Field, pending: Sequence[str], problems: list[Problem]) -> set[str]:
    asked, applied = set(pending), set()
    for one in field:
        try:
            applied.add(_asked(one, asked))
        except NotAgreed as error:
            problems.append(_problem(one, error))
    return applied


def _figures(field: Field, problems: list[Problem]) -> dict[str, int]:
    figures = {}
    for sku, one in field.members():
        try:
            figures[_sku(sku, one)] = one.whole(-MOST_UNITS, MOST_UNITS)
        except NotAgreed as error:
            problems.append(_problem(one, error))
    return figures


def _sku(sku: str, field: Field) -> str:
    if not sku.isprintable() or not sku:
        raise NotAgreed(field.pointer, "the SKU cannot be printed")
    return sku


def _problem(field: Field, error: NotAgreed) -> Problem:
    return Problem("/stock", None, in_short(field.pointer)[:LONGEST_POINTER], in_short(error.words), field.shown())


def read_skus(body: bytes) -> set[str]:
    """The SKUs whose figures may have changed."""
    return {one.text() for one in opened(body)["skus"]}


def read_lines(body: bytes) -> list[BookedLine]:
    """Lines of our orders on the ERP's books; what cannot be read is left aside, and the reconciliation misses it."""
    lines, wrong = [], []
    for field in opened(body)["lines"]:
        try:
            lines.append(_line(field))
        except NotAgreed as error:
            log.warning("a line on the ERP's books cannot be read: %s", error)
            wrong.append(error)
    if wrong and not lines:  # nobody could say where the next page begins
        raise wrong[0]
    return lines


def _line(field: Field) -> BookedLine:
    return BookedLine(
        order_id=field["order_id"].whole(1, MOST_ID),
        line=field["line"].whole(1, MOST_UNITS),
        sku=field["sku"].text(),
        quantity=field["quantity"].whole(-MOST_UNITS, MOST_UNITS),
        unit_price=field["unit_price"].amount(),
        currency=field["currency"].text(),
    )
