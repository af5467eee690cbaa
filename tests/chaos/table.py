"""The table: what was done to the shop, and what came of it."""

from collections import Counter
from collections.abc import Iterator

from tests.chaos import points
from tests.chaos.run import Outcome

WIDTH = 58
_OF_KIND = {
    "lost orders": "lost order",
    "lost acknowledged reservations": "lost reservation",
    "doubled orders": "doubled",
    "oversold": "oversold",
    "promised more than there is": "promised more than there is",
    "available too high at an open gate": "available too high",
    "ledger and levels differ": "ledger",
}


def print_table(outcome: Outcome) -> None:
    """Print it to stdout."""
    for title, rows in _sections(outcome):
        print(f"\n{title}")
        for name, value in rows:
            print(f"  {name:<{WIDTH}} {value:>12}")
    for note in [*outcome.notes, *_oddities(outcome)]:
        print(f"\nnote: {note}")


def _sections(outcome: Outcome) -> Iterator[tuple[str, list[tuple[str, object]]]]:
    family, timeline = outcome.world.family, outcome.timeline
    yield f"Process deaths: {family.deaths.total()}", _counted(family.deaths)
    yield f"Processes stopped and continued: {family.pauses.total()}", _counted(family.pauses)
    yield f"Redis faults: {timeline.redis_faults.total()}", _counted(timeline.redis_faults)
    yield f"PostgreSQL faults: {timeline.sql_faults.total()}", _counted(timeline.sql_faults)
    yield "Load", _load(outcome)
    yield "Seconds from 'Redis is back' to 'sells again', processes dying all the while", _recovery(outcome)
    yield "Found", _found(outcome)


def _counted(counter: Counter[str]) -> list[tuple[str, object]]:
    return sorted(counter.items())


def _load(outcome: Outcome) -> list[tuple[str, object]]:
    holds, orders = outcome.promises.count()
    codes = " ".join(f"{code}:{times}" for code, times in sorted(outcome.crowd.codes.items()))
    checker = outcome.checker
    return [
        ("visits", outcome.crowd.visits),
        ("acknowledged reservations", holds),
        ("acknowledged orders", orders),
        ("acknowledged movements of the operator", len(outcome.promises.received)),
        ("checks (of these with the gate open)", f"{checker.checks} ({checker.open_checks})"),
        ("milliseconds frozen per check", f"{1000 * checker.frozen_seconds / max(1, checker.checks):.0f}"),
        ("answers by status", codes),
    ]


def _recovery(outcome: Outcome) -> list[tuple[str, object]]:
    return [
        (kind, f"{sorted(seconds)[len(seconds) // 2]:.2f}, longest {max(seconds):.2f}")
        for kind, seconds in sorted(outcome.probe.seconds.items())
    ]


def _found(outcome: Outcome) -> list[tuple[str, object]]:
    times = Counter(violation.kind for violation in outcome.violations)
    return [
        *((name, times[kind]) for name, kind in _OF_KIND.items()),
        ("conserved at rest, verified clean", {None: "not looked at", True: "yes", False: "NO"}[outcome.conserved]),
    ]


def _oddities(outcome: Outcome) -> Iterator[str]:
    """What is no violation, but should be known."""
    ended_at = {event.partition("ended at: ")[2] for event in outcome.world.family.deaths}
    never = [point for point in points.NAMED if point not in ended_at]
    if never:
        yield f"no process ended at: {', '.join(never)}"
    for what, lines in (
        ("processes that ended by themselves", outcome.world.family.unplanned),
        ("faults that failed", outcome.timeline.errors),
        ("errors of the shoppers", outcome.crowd.errors),
    ):
        if lines:
            yield f"{what}: {len(lines)}, the first: {lines[0]}"
