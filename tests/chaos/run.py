"""One run: load and faults for a while, then peace, then the proof that everything adds up."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from storefront.stock.verify import verify
from tests.chaos.back_office import BackOffice
from tests.chaos.checker import Checker
from tests.chaos.probe import Probe
from tests.chaos.promises import Promises
from tests.chaos.shoppers import Crowd
from tests.chaos.timeline import Timeline, Weather
from tests.chaos.truths import Violation
from tests.chaos.world import PROCESSES, World

REST_SECONDS = 90.0  # after a clock went back, jobs of slots that were done before are skipped for half a minute


@dataclass
class Outcome:
    """What a run has shown."""

    seed: int
    seconds: float
    violations: list[Violation]
    evidence: str
    error: Exception | None
    timeline: Timeline
    world: World
    promises: Promises
    crowd: Crowd
    checker: Checker
    probe: Probe
    conserved: bool | None = None  # None: not looked at, for a violation came before
    notes: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        return not self.violations and self.error is None and self.conserved is True


def run(
    world: World, seed: int, seconds: float, weather: Weather, *, shoppers: int = 20, check_seconds: float = 0.8,
    progress: Callable[[str], None] = print,
) -> Outcome:  # fmt: skip
    """Let `world` live for `seconds` in `weather`, or until the first violation; then check it at rest."""
    promises, probe = Promises(), Probe(world)
    timeline = Timeline(world, probe, weather, seed)
    checker = Checker(world, promises, check_seconds)
    crowd, office = Crowd(world, promises, seed, shoppers), BackOffice(world, promises, seed)
    world.family.keep(PROCESSES)
    probe.wait_until_sold("start")
    began = time.monotonic()
    for part in (crowd, office, checker, timeline):
        part.start()
    while time.monotonic() - began < seconds and not checker.failed:
        time.sleep(0.05)
    office.stop()
    timeline.stop()
    crowd.go_home()
    checker.stop()
    outcome = Outcome(
        seed, time.monotonic() - began, checker.first, checker.evidence, checker.error,
        timeline, world, promises, crowd, checker, probe,
    )  # fmt: skip
    if not checker.failed:
        _rest(outcome)
    return outcome


def _rest(outcome: Outcome) -> None:
    """All processes up, holds over: now everything must add up exactly."""
    time.sleep(outcome.world.hold_seconds + 1)
    outcome.checker.check(everything=True)
    outcome.violations = outcome.checker.first
    outcome.evidence = outcome.checker.evidence
    with outcome.world.app.app_context():
        drifts = verify(outcome.world.room, patience_seconds=REST_SECONDS)
    outcome.conserved = not drifts
    if drifts and not outcome.violations:
        outcome.violations = [Violation("not conserved at rest", str(drift), drift.sku) for drift in drifts]
    if outcome.probe.never:
        outcome.notes.append(f"did not sell again within 30 s after: {', '.join(outcome.probe.never)}")
