"""What must be true at every moment: pure functions from what was seen and promised to what is wrong."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row

from tests.chaos.promises import HoldPromise, OrderPromise
from tests.chaos.sight import Books, Sight

KINDS = (
    "oversold", "promised more than there is", "available too high", "lost reservation", "lost order", "doubled",
    "ledger", "not conserved at rest",
)  # fmt: skip


@dataclass(frozen=True)
class Violation:
    """Something that must never be; `kind` is one of KINDS."""

    kind: str
    what: str
    sku: str = ""


def broken(seen: Sight, holds: dict[str, HoldPromise], orders: dict[str, OrderPromise]) -> list[Violation]:
    """Every violation in `seen`."""
    return [*_levels(seen), *_redis(seen), *_holds(seen, holds), *_orders(seen, orders)]


def _levels(seen: Sight) -> Iterator[Violation]:
    for level in seen.levels:
        sellable = level.on_hand - level.unavailable
        if level.ordered > sellable or level.committed > sellable or level.shortfall:
            yield Violation(
                "oversold",
                f"{level.sku}: {level.ordered} units ordered, {level.committed} committed, shortfall"
                f" {level.shortfall}, but {level.on_hand} on hand and {level.unavailable} unavailable",
                level.sku,
            )
        if level.committed + level.active > sellable:
            yield Violation(
                "promised more than there is",
                f"{level.sku}: {level.committed} committed and {level.active} in active reservations,"
                f" but {level.on_hand} on hand and {level.unavailable} unavailable",
                level.sku,
            )
        if level.ordered != level.committed:
            yield Violation("ledger", f"{level.sku}: {level.ordered} ordered, {level.committed} committed", level.sku)
        yield from _ledger(level)


def _ledger(level: Row) -> Iterator[Violation]:
    by_level = (level.on_hand, level.committed, level.unavailable, level.number)
    by_sum = (level.moved_on_hand, level.moved_committed, level.moved_unavailable, level.numbered)
    if by_level != by_sum:
        yield Violation("ledger", f"{level.sku}: level {by_level}, sum of its movements {by_sum}", level.sku)


def _redis(seen: Sight) -> Iterator[Violation]:
    if not seen.gate_open:
        return
    for level in seen.levels:
        found = seen.redis[level.sku]
        if found.available is None or found.epoch != seen.epoch:
            continue  # closed for this SKU
        pending = sum(units for one, units in found.holds.items() if one not in seen.journalled)
        most = level.on_hand - level.unavailable - level.committed - level.active - pending
        if found.available > most:
            yield Violation(
                "available too high",
                f"{level.sku}: Redis says {found.available} can be sold, but on hand {level.on_hand} - unavailable"
                f" {level.unavailable} - committed {level.committed} - active {level.active} - pending {pending}"
                f" leaves {most}",
                level.sku,
            )


def _holds(seen: Sight, holds: dict[str, HoldPromise]) -> Iterator[Violation]:
    for one, promise in holds.items():
        fault = _fault_of_hold(promise, seen.reservations.get(one), seen.now_ms)
        if fault:
            yield Violation("lost reservation", f"{promise}: {fault}", promise.sku)


def _fault_of_hold(promise: HoldPromise, row: Row | None, now_ms: int) -> str:
    if row is None:
        return "there is no row"
    if row.units < promise.units and not promise.may_end:
        return f"only {row.units} units are held"
    if row.state in ("active", "sold") or promise.may_end or now_ms >= promise.deadline_ms:
        return ""
    return f"its row is {tuple(row)}, {promise.deadline_ms - now_ms} ms before the deadline that was acknowledged"


def _orders(seen: Sight, orders: dict[str, OrderPromise]) -> Iterator[Violation]:
    for token, promise in orders.items():
        row = seen.orders.get(token)
        fault = "there is no such order" if row is None else _fault_of_order(promise, row)
        if fault:
            yield Violation("lost order", f"{promise}: {fault}")


def _fault_of_order(promise: OrderPromise, row: Row) -> str:
    if row.id != promise.id or row.shopper != promise.shopper or f"{row.total:.2f}" != promise.total:
        return f"it is another one now: {tuple(row)}"
    if row.status == "cancelled" and not promise.cancelled:
        return "it was cancelled, and nobody asked for that"
    if row.status != "cancelled" and promise.cancelled == "acknowledged":
        return "its cancellation was acknowledged, and it stands"
    return ""


def broken_books(books: Books, orders: dict[str, OrderPromise], received: dict[str, str]) -> list[Violation]:
    """Violations in what belongs together: orders, keys, lines, reservations, movements."""
    return [*_unlike(books), *_keys(books, orders), *_received(books, received)]


def _unlike(books: Books) -> Iterator[Violation]:
    for row in books.unlike:
        yield Violation("ledger", f"order {row.id}, {row.sku}: ordered, sold and committed units differ: {tuple(row)}")


def _keys(books: Books, orders: dict[str, OrderPromise]) -> Iterator[Violation]:
    answers: dict[tuple[str, str], Any] = {(row.shopper, row.key): _parsed(row.answer) for row in books.keys}
    uses = Counter(answer["id"] for answer in answers.values() if "token" in answer)
    for order_id in books.order_ids - uses.keys():
        yield Violation("doubled", f"order {order_id} belongs to no idempotency key")
    for order_id, times in uses.items():
        if times > 1 or order_id not in books.order_ids:
            yield Violation("doubled", f"{times} idempotency keys name order {order_id}")
    by_key = Counter((promise.shopper, promise.key) for promise in orders.values())
    for promise in orders.values():
        known = answers.get((promise.shopper, promise.key), {})
        if known.get("token") != promise.token or by_key[promise.shopper, promise.key] > 1:
            yield Violation("doubled", f"{promise}: its key leads to {known}")


def _parsed(answer: Any) -> dict[str, Any]:
    return json.loads(answer) if isinstance(answer, str) else answer


def _received(books: Books, received: dict[str, str]) -> Iterator[Violation]:
    times = Counter(books.reasons)
    for reason, sku in received.items():
        if times[reason] != 1:
            yield Violation("ledger", f"movement {reason!r} of {sku} is there {times[reason]} times", sku)
