"""What the stock should do, in plain Python and one thread: the yardstick of test_model.py."""

from dataclasses import dataclass, field

MOST_EXTENSIONS = 3


@dataclass
class Claim:
    """A reservation: its state is one of orphan (Redis alone knows it), active, sold, cancelled, released, expired."""

    shopper: str
    sku: str
    units: int
    state: str = "active"
    overdue: bool = False
    extensions: int = 0


@dataclass
class Shelf:
    """A SKU. The units of an order are on hand until they are shipped, which nobody does here."""

    on_hand: int
    limit: int | None = None


@dataclass
class Model:
    """Shelves and claims; `lagging` while a process has died between SQL and Redis and nobody has repaired it."""

    shelves: dict[str, Shelf]
    claims: dict[str, Claim] = field(default_factory=dict)
    lagging: bool = False

    def ids(self, *states: str) -> list[str]:
        """Claims in one of `states`; all where none is given."""
        return [id for id, claim in self.claims.items() if not states or claim.state in states]

    def units(self, sku: str, *states: str, shopper: str | None = None) -> int:
        return sum(
            claim.units
            for claim in self.claims.values()
            if claim.sku == sku and claim.state in states and (shopper is None or claim.shopper == shopper)
        )

    def available(self, sku: str) -> int:
        return self.shelves[sku].on_hand - self.units(sku, "active", "sold")

    def shown(self, sku: str) -> int:
        """What Redis may give away: an orphan's units are not free for it."""
        return self.available(sku) - self.units(sku, "orphan")

    def active(self) -> dict[str, int]:
        return {id: claim.units for id, claim in self.claims.items() if claim.state == "active"}

    def answer_to(self, shopper: str, sku: str, units: int, seen: int | None) -> str:
        """What a click should hear that takes new units."""
        own = self.units(sku, "active", "orphan", shopper=shopper)
        limit = self.shelves[sku].limit
        if seen is not None and own > seen:
            return "already"
        if limit is not None and own + self.units(sku, "sold", shopper=shopper) + units > limit:
            return "limit_reached"
        if self.shown(sku) <= 0:
            return "sold_out"
        return "held" if self.shown(sku) >= units else "insufficient_stock"

    def end(self, id: str, state: str) -> bool:
        """Compare-and-set from active; an orphan that is ended was never there."""
        claim = self.claims[id]
        if claim.state == "orphan":
            claim.state = "expired"
            return False
        won = claim.state == "active"
        if won:
            claim.state = state
        return won

    def sweep(self) -> int:
        return sum(
            self.end(id, "expired") for id, claim in self.claims.items() if claim.state == "active" and claim.overdue
        )

    def rebuild(self) -> None:
        """Only what SQL knows remains."""
        self.lagging = False
        self.claims = {id: claim for id, claim in self.claims.items() if claim.state != "orphan"}

    def repair(self) -> None:
        """Orphans are buried."""
        self.lagging = False
        for id, claim in self.claims.items():
            if claim.state == "orphan":
                self.end(id, "expired")
