"""The figures as tables, and the ratios with their goals."""

import operator
from collections.abc import Iterable, Iterator, Mapping, Sequence

from bench.fanout.cell import LIMIT_MS, MOST_RATE, Cell
from bench.fanout.systems import SYSTEMS
from bench.fanout.viewers import Push
from bench.table import print_table

TOP_RATE = "top rate, shop / Node"
CPU_NODE, CPU_FLOOR = "CPU per delivery, shop / Node", "CPU per delivery, shop / floor"
P99 = "shop, WebSocket: p99 in ms at the highest fixed rate"
KB_SOCKET, KB_SSE = "shop: KB per idle WebSocket", "shop: KB per idle SSE connection"
GOALS = {
    1000: {
        TOP_RATE: ">= 1.4", CPU_NODE: "<= 0.7", CPU_FLOOR: "<= 1.7", P99: "< 50", KB_SOCKET: "<= 45", KB_SSE: "<= 25",
    },
    2000: {P99: "< 100"},
}  # fmt: skip


def table(viewers: int, cells: Sequence[Cell]) -> None:
    """Print a row for each system."""
    if not cells:
        return
    rates = [f"{rate}/s" for rate in cells[0].pushes]
    figures = [f"CPU µs at {rates[-1]}", "top rate/s", "merged", "KB each", "client"]
    title = f"Fan-out to {viewers:,} viewers of one SKU (top rate: p99 < {LIMIT_MS} ms)"
    print_table(title, ["p50 / p99 ms", *rates, *figures], [row_of(cell) for cell in cells])
    for note in notes_on(cells):
        print(note, flush=True)


def row_of(cell: Cell) -> list[str]:
    return [
        SYSTEMS[cell.system].title,
        *(times(push) for push in cell.pushes.values()),
        f"{cell.cpu_us:.1f}",
        rate_text(cell.top_rate),
        rate_text(cell.top_rate_merged),
        f"{cell.kb_each:.1f}",
        f"{max(push.client_share for push in cell.pushes.values()):.0%}",
    ]


def notes_on(cells: Sequence[Cell]) -> Iterator[str]:
    """What the times alone do not tell."""
    for cell in cells:
        for rate, push in cell.pushes.items():
            said = [
                "" if push.one_by_one else f"{push.messages / push.expected:.0%} of the messages, the others merged",
                f"{push.refused} times told to ask again" if push.refused else "",
                f"{cell.viewers - push.watching} viewers cut" if push.watching < cell.viewers else "",
            ]
            if any(said):
                yield f"{SYSTEMS[cell.system].title} at {rate}/s: {', '.join(filter(None, said))}."
    if any(push.disturbed for cell in cells for push in cell.pushes.values()):
        yield "* Others used this machine meanwhile: the server is faster than that."


def times(push: Push) -> str:
    return f"{in_ms(push.p50_ms)} / {in_ms(push.p99_ms)}{'*' if push.disturbed else ''}"


def in_ms(value: float | None) -> str:
    return "never" if value is None else f"{value:.1f}" if value < 1000 else f"{value:.0f}"


def rate_text(rate: float) -> str:
    return "none" if not rate else f">= {rate:.0f}" if rate == MOST_RATE else f"{rate:.0f}"


def ratios(cells: Iterable[Cell]) -> None:
    """Print what the goals are about, for each number of viewers that was measured."""
    measured: dict[int, dict[str, Cell]] = {}
    for cell in cells:
        measured.setdefault(cell.viewers, {})[cell.system] = cell
    for viewers, systems in measured.items():
        rows = [judged(viewers, name, figure) for name, figure in figures_of(systems)]
        if rows:
            print_table(f"{viewers:,} viewers", ["", "measured", "goal", ""], rows)


def figures_of(systems: Mapping[str, Cell]) -> Iterator[tuple[str, float]]:
    shop, sse, node, floor = (systems.get(name) for name in ("shop", "sse", "node", "floor"))
    if shop and node and node.top_rate:
        yield TOP_RATE, shop.top_rate / node.top_rate
        yield f"{TOP_RATE}, merged or not", shop.top_rate_merged / node.top_rate
    if shop and node:
        yield CPU_NODE, shop.cpu_us / node.cpu_us
    if shop and floor:
        yield CPU_FLOOR, shop.cpu_us / floor.cpu_us
    if shop:
        p99 = shop.pushes[max(shop.pushes)].p99_ms
        yield P99, float("inf") if p99 is None else p99
        yield KB_SOCKET, shop.kb_each
    if sse:
        yield KB_SSE, sse.kb_each


def judged(viewers: int, name: str, figure: float) -> list[str]:
    """A figure beside its goal, where there is one for so many viewers."""
    goal = GOALS.get(viewers, {}).get(name, "")
    verdict = goal and ("met" if is_met(goal, figure) else "missed")
    return [name, f"{figure:.2f}", goal, verdict]


def is_met(goal: str, figure: float) -> bool:
    sign, bound = goal.split()
    return {">=": operator.ge, "<=": operator.le, "<": operator.lt}[sign](figure, float(bound))
