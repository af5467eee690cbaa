"""Marks: what the ERP has said of each document, on its row; the state of a batch follows from its rows.

Every function writes in the transaction of a caller that holds the link.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from storefront.erp import batches
from storefront.erp.adapter import Batch, Problem, Result
from storefront.erp.link import SHORTEST_MS, pause_ms
from storefront.erp.models import BufferRow, ErpBatch, ErpProblem

LONGEST_WORDS = 2000
ASK_AGAIN_MOST_MS = 60_000


@dataclass(frozen=True)
class Marked:
    """The state of a batch after its rows were marked, and how many rows had which outcome."""

    state: str
    outcomes: Counter[str]


class Answer(NamedTuple):
    """What an adapter has said of a batch that was sent; `again`: not for the first time."""

    batch: Batch
    again: bool
    results: Sequence[Result]


# What is done for each batch is put together once, and without the ORM.
MARKS = ("state", "outcome", "words", "erp_id", "batch_id", "tries", "due_at_ms", "applied_at_ms")
_row, _batch = BufferRow.__table__, ErpBatch.__table__
_MARK = (
    update(_row)
    .where(_row.c.id.in_(bindparam("ids", expanding=True)))
    .values({name: bindparam(name) for name in MARKS})
)
_MARK_ONE = update(_row).where(_row.c.id == bindparam("its_id")).values({name: bindparam(name) for name in MARKS})
_ALIKE = ("state", "outcome", "words", "tries", "due_at_ms", "applied_at_ms")
_MARK_ALL = (
    update(_row).where(_row.c.batch_id == bindparam("its_batch")).values({name: bindparam(name) for name in _ALIKE})
)
_SENT = BufferRow(state="batched", words="", erp_id="", tries=0, due_at_ms=0)  # a row before its first answer
_FOLLOW = (
    update(_batch)
    .where(_batch.c.id == bindparam("its_batch"))
    .values(state=bindparam("state"), due_at_ms=bindparam("due_at_ms"))
)


def mark_sent(session: Session, answers: Sequence[Answer], now_ms: int) -> Counter[str]:
    """Mark the rows of batches that were just sent; where one word stands for all of a batch, in one step."""
    outcomes: Counter[str] = Counter()
    alike = []
    for answer in answers:
        result = _for_all(answer)
        if result is None:
            outcomes += mark(session, answer.batch.id, answer.results, now_ms).outcomes
        else:
            outcomes[result.outcome] += len(answer.results)
            after = _after(_SENT, result, now_ms)
            alike.append({"its_batch": answer.batch.id, **{name: after[name] for name in _ALIKE}})
    if alike:
        session.execute(_MARK_ALL, alike)
        session.execute(_FOLLOW, [_following(one["its_batch"], {one["state"]}) for one in alike])
    return outcomes


def _for_all(answer: Answer) -> Result | None:
    """The result that stands for all documents of a batch that had none before; None where there is none."""
    first = answer.results[0] if answer.results else None
    if answer.again or first is None or first.outcome not in ("accepted", "applied") or first.erp_id:
        return None
    said = {one.key for one in answer.results if (one.outcome, one.words, one.erp_id) == first[1:]}
    return first if said == {one.key for one in answer.batch.documents} else None


def mark(session: Session, batch_id: str, results: Sequence[Result], now_ms: int) -> Marked:
    """Mark the rows of a batch that wait for an answer; those without a result are unknown."""
    by_key = {result.key: result for result in results}
    outcomes: Counter[str] = Counter()
    marked = {}
    states = set()
    for row in batches.rows_of(session, batch_id):
        key = batches.key_of(row)
        result = by_key.get(key)
        state = row.state
        if state == "batched" or (state == "accepted" and result):
            told = result or Result(key, "unknown")
            outcomes[told.outcome] += 1
            marked[row.id] = _after(row, told, now_ms)
            state = marked[row.id]["state"]
        states.add(state)
    _write(session, marked)
    return Marked(_follow(session, batch_id, states, now_ms), outcomes)


def _write(session: Session, marked: Mapping[int, dict[str, Any]]) -> None:
    """Write marks, by the id of the row; those that are alike in one statement."""
    alike: dict[tuple[Any, ...], list[int]] = defaultdict(list)
    for row_id, values in marked.items():
        alike[tuple(values.values())].append(row_id)
    single = [{"its_id": ids[0], **marked[ids[0]]} for ids in alike.values() if len(ids) == 1]
    if single:
        session.execute(_MARK_ONE, single)
    for ids in alike.values():
        if len(ids) > 1:
            session.execute(_MARK, {"ids": ids, **marked[ids[0]]})


def _after(row: Any, result: Result, now_ms: int) -> dict[str, Any]:
    """What becomes of a row by a result."""
    words = result.words[:LONGEST_WORDS]
    told = {
        "state": row.state,
        "outcome": result.outcome,
        "words": words or row.words,
        "erp_id": result.erp_id[:100] or row.erp_id,
        "batch_id": row.batch_id,
        "tries": row.tries,
        "due_at_ms": row.due_at_ms,
        "applied_at_ms": row.applied_at_ms,
    }
    match result.outcome:
        case "applied" | "duplicate":
            return told | {"state": "applied", "words": words, "applied_at_ms": now_ms}
        case "accepted":
            pause = SHORTEST_MS if row.state == "batched" else min(ASK_AGAIN_MOST_MS, pause_ms(row.tries))
            tries = 0 if row.state == "batched" else row.tries + 1
            return told | {"state": "accepted", "words": words, "due_at_ms": now_ms + pause, "tries": tries}
        case "retry_later":
            due_at_ms = now_ms + pause_ms(row.tries + 1)
            return told | {"state": "waiting", "batch_id": None, "tries": row.tries + 1, "due_at_ms": due_at_ms}
        case "rejected":
            return told | {"state": "dead"}
        case _:
            return told


def _follow(session: Session, batch_id: str, states: Collection[str], now_ms: int) -> str:
    """Let the state of a batch follow from those of its rows; return it."""
    if "batched" not in states:
        following = _following(batch_id, states)
    else:
        tries = session.scalars(select(ErpBatch.tries).where(ErpBatch.id == batch_id)).one()
        following = {"its_batch": batch_id, "state": "unknown", "due_at_ms": now_ms + pause_ms(tries)}
    session.execute(_FOLLOW, following)
    return str(following["state"])


def _following(batch_id: str, answered: Collection[str]) -> dict[str, Any]:
    """What follows for a batch whose rows have these states, each of them by an answer."""
    return {"its_batch": batch_id, "state": "accepted" if "accepted" in answered else "done", "due_at_ms": 0}


def accepted_rows(session: Session, channel: str, due_ms: int | None, most: int) -> Sequence[Any]:
    """The rows that the ERP has taken and not booked, and that it should be asked about by `due_ms` (None: all)."""
    row = BufferRow
    accepted = batches.TOLD.where(row.channel == channel, row.state == "accepted")
    due = accepted if due_ms is None else accepted.where(row.due_at_ms <= due_ms)
    return session.execute(due.order_by(row.due_at_ms).limit(most)).all()


def follow_up(session: Session, rows: Sequence[Any], found: Mapping[str, Result], now_ms: int) -> Counter[str]:
    """Mark rows that were accepted; one that the ERP no longer knows goes out again."""
    outcomes: Counter[str] = Counter()
    marked = {}
    for row in rows:
        key = batches.key_of(row)
        result = found.get(key) or Result(key, "retry_later", "accepted before, and not known any more")
        outcomes[result.outcome] += 1
        marked[row.id] = _after(row, result, now_ms)
    _write(session, marked)
    for batch_id in {row.batch_id for row in rows if row.batch_id}:
        states = set(session.scalars(select(BufferRow.state).where(BufferRow.batch_id == batch_id)))
        _follow(session, batch_id, states, now_ms)
    return outcomes


def refuse(session: Session, batch_id: str, words: str, now_ms: int) -> Counter[str]:
    """A batch was refused whole: halve it; a single document that is refused is a dead letter."""
    batch = session.get_one(ErpBatch, batch_id)
    batch.words = words[:LONGEST_WORDS]
    open_rows = [row for row in batches.rows_of(session, batch_id) if row.state in ("batched", "accepted")]
    if len(open_rows) > 1:
        batches.split(session, batch, now_ms)
        return Counter()
    return mark(
        session, batch_id, [Result(batches.key_of(row), "rejected", words) for row in open_rows], now_ms
    ).outcomes


def put_off(session: Session, batch_id: str, words: str, state: str, now_ms: int) -> None:
    """A batch was not answered as agreed: the same again later. state: frozen, or unknown where it may have arrived."""
    batch = session.get_one(ErpBatch, batch_id)
    batch.state, batch.words, batch.due_at_ms = state, words[:LONGEST_WORDS], now_ms + pause_ms(batch.tries)
    if state == "unknown":
        waiting = update(BufferRow).where(BufferRow.batch_id == batch_id, BufferRow.state == "batched")
        session.execute(waiting.values(outcome="unknown"), execution_options={"synchronize_session": False})


def note_problems(session: Session, adapter: str, problems: Sequence[Problem], now_ms: int) -> None:
    """Keep lines that could not be read for a person to look at, each once."""
    for one in problems:
        row = ErpProblem
        known = select(row.id).where(
            row.adapter == adapter, row.source == one.source, row.line == one.line, row.column == one.column
        )
        if session.scalar(known.limit(1)) is None:
            session.add(
                ErpProblem(
                    adapter=adapter, source=one.source[:200], line=one.line, column=one.column[:64],
                    words=one.words[:LONGEST_WORDS], raw=one.raw[:LONGEST_WORDS], at_ms=now_ms,
                )
            )  # fmt: skip
