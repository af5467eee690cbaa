"""What the stock should do, in plain Python and one thread: the yardstick of the histories.

SQL's side of a reservation is its claim, Redis' side the claim's hold. They are kept apart, because a process may die
or dawdle after it has told the one and before it tells the other. Time is in seconds.
"""

from dataclasses import dataclass, field

MOST_EXTENSIONS = 3


@dataclass
class Hold:
    """What Redis keeps under the id of a reservation; a late click may have taken it after its first one had ended."""

    units: int
    deadline: int
    grant: int


@dataclass
class Claim:
    """A reservation; its row in SQL is active, sold, released, expired or withdrawn (a tombstone), "": it has none.

    grant: which of the holds under its id the row is about. cancelled: its order was.
    """

    shopper: str
    sku: str
    units: int
    state: str = ""
    deadline: int = 0
    extensions: int = 0
    grant: int = 0
    cancelled: bool = False
    hold: Hold | None = None

    @property
    def untold_order(self) -> int:
        """Units of the hold that went into an order of which Redis has not heard yet."""
        return self.units if self.state == "sold" and self.hold and self.hold.grant == self.grant else 0

    @property
    def kept(self) -> int:
        """Units that come back when the hold ends."""
        return self.hold.units - self.untold_order if self.hold else 0


@dataclass
class Movement:
    """A numbered movement; `shopper`: whose limit it counts for, where it is a cancellation."""

    units: int
    shopper: str = ""


@dataclass
class Shelf:
    """A SKU. The units of an order stay on hand, for nobody ships here. `applied`: movements that Redis knows of."""

    on_hand: int
    limit: int | None = None
    movements: list[Movement] = field(default_factory=list)
    applied: int = 0

    def move(self, units: int, shopper: str = "") -> None:
        if units:
            self.movements.append(Movement(units, shopper))

    @property
    def untold(self) -> int:
        return sum(movement.units for movement in self.movements[self.applied :])


@dataclass
class Model:
    """Shelves and claims; `closed`: SKUs whose numbers in Redis may not be trusted until a rebuild."""

    shelves: dict[str, Shelf]
    claims: dict[str, Claim] = field(default_factory=dict)
    closed: set[str] = field(default_factory=set)
    now: int = 0
    grants: int = 0
    rebuilds: int = 0
    epochs: int = 0  # begun; also by a rebuild that died
    repaired_at: int = 0

    def ids(self, *states: str, least: int = 1) -> list[str]:
        """Claims in one of `states` (any, where none is given), of at least so many units."""
        return [
            id for id, claim in self.claims.items() if (not states or claim.state in states) and claim.units >= least
        ]

    def of(self, sku: str, *states: str) -> list[Claim]:
        return [claim for claim in self.claims.values() if claim.sku == sku and (not states or claim.state in states)]

    def committed(self, sku: str) -> int:
        return sum(claim.units for claim in self.of(sku, "sold") if not claim.cancelled)

    def sellable(self, sku: str) -> int:
        """What SQL could still promise, were nothing held."""
        return self.shelves[sku].on_hand - self.committed(sku)

    def free(self, sku: str) -> int:
        """What Redis may give away."""
        return self.sellable(sku) - sum(claim.kept for claim in self.of(sku)) - self.shelves[sku].untold

    def held(self, sku: str) -> dict[str, int]:
        """Units that Redis holds for each shopper."""
        units: dict[str, int] = {}
        for claim in self.of(sku):
            if claim.hold:
                units[claim.shopper] = units.get(claim.shopper, 0) + claim.hold.units
        return units

    def bought(self, sku: str) -> dict[str, int]:
        """Units by which Redis believes each shopper to be nearer to his limit; below 0: a cancellation came first."""
        units: dict[str, int] = {}
        for claim in self.of(sku, "sold"):
            units[claim.shopper] = units.get(claim.shopper, 0) + claim.units - claim.untold_order
        for movement in self.shelves[sku].movements[: self.shelves[sku].applied]:
            if movement.shopper:
                units[movement.shopper] -= movement.units
        return {shopper: bought for shopper, bought in units.items() if bought}

    def at_rest(self) -> bool:
        """Whether Redis has heard of everything that SQL has decided, and nothing else."""
        return all(shelf.applied == len(shelf.movements) for shelf in self.shelves.values()) and all(
            (claim.hold.units if claim.hold else 0) == (claim.units if claim.state == "active" else 0)
            for claim in self.claims.values()
        )

    def overdue(self, item: Claim | Hold) -> bool:
        return item.deadline <= self.now

    # What the scripts do in Redis

    def take(self, claim: Claim, seconds: int, seen: int | None = None) -> str:
        """reserve.lua: what a click hears, and the hold where it gets one (or has it)."""
        if claim.sku in self.closed:
            return "stock_checking"
        if claim.hold:
            return "held"
        answer = self._answer_to(claim, seen)
        if answer == "held":
            self.grants += 1
            claim.hold = Hold(claim.units, self.now + seconds, self.grants)
        return answer

    def _answer_to(self, claim: Claim, seen: int | None) -> str:
        own = self.held(claim.sku).get(claim.shopper, 0)
        limit = self.shelves[claim.sku].limit
        free = self.free(claim.sku)
        if seen is not None and own > seen:
            return "already"
        if limit is not None and own + self.bought(claim.sku).get(claim.shopper, 0) + claim.units > limit:
            return "limit_reached"
        if free < claim.units:
            return "insufficient_stock" if free > 0 else "sold_out"
        return "held"

    def settle(self, *claims: Claim, staying: int = 0) -> None:
        """settle.lua: all but `staying` units leave the hold."""
        for claim in claims:
            if claim.hold and claim.hold.units > staying:
                claim.hold = Hold(staying, claim.hold.deadline, claim.hold.grant) if staying else None

    def hear_deadline(self, claim: Claim, deadline: int) -> None:
        """extend.lua"""
        if claim.hold:
            claim.hold.deadline = max(claim.hold.deadline, deadline)

    def hear_movements(self, sku: str) -> None:
        """apply_movement.lua, for each that is missing."""
        if sku not in self.closed:
            self.shelves[sku].applied = len(self.shelves[sku].movements)

    # What becomes of rows in SQL

    def journal(self, claim: Claim, hold: Hold) -> str:
        """Write the row, where there is none; return how it stands."""
        if not claim.state:
            claim.state, claim.units, claim.deadline, claim.grant = "active", hold.units, hold.deadline, hold.grant
        return claim.state

    def end(self, claim: Claim, state: str) -> bool:
        """Compare-and-set from active; where there is no row a tombstone is put."""
        won = claim.state == "active"
        if won or not claim.state:
            claim.state = state if won else "withdrawn"
        return won

    def click(self, claim: Claim, seconds: int, seen: int | None) -> str:
        """reservations.reserve: what a click hears in the end."""
        again = claim.hold is not None
        answer = self.take(claim, seconds, seen)
        if answer == "held" and again and claim.hold and self.overdue(claim.hold):
            self.end_overdue(claim)
            answer = self.take(claim, seconds, seen)
        if answer != "held" or not claim.hold:
            return answer
        state = self.journal(claim, claim.hold)
        if state == "active":
            return "held"
        self.settle(claim)
        return "withdrawn" if state == "withdrawn" else "hold_ended"

    def end_overdue(self, claim: Claim) -> None:
        """A hold whose time is over ends, unless SQL knows of a later deadline."""
        if claim.state == "active" and not self.overdue(claim):
            self.hear_deadline(claim, claim.deadline)
            return
        self.end(claim, "expired")
        self.settle(claim)

    # What mends everything

    def repair(self, hold_seconds: int) -> None:
        """Redis is told what SQL has decided; holds without a row are buried once they are overdue, or 10 s old."""
        due = (self.repaired_at - 10 + hold_seconds, self.now - 10 + hold_seconds)  # of holds granted so long ago
        for claim in self.claims.values():
            overdue = claim.hold and self.overdue(claim.hold)
            if claim.hold and not claim.state and (overdue or due[0] <= claim.hold.deadline <= due[1]):
                claim.state = "withdrawn"
            if claim.state:
                self.settle(claim, staying=claim.units if claim.state == "active" else 0)
            if overdue and not self.overdue(claim):
                self.hear_deadline(claim, claim.deadline)
        for sku in self.shelves:
            self.hear_movements(sku)
        self.repaired_at = self.now

    def rebuild(self) -> None:
        """Redis gets what SQL knows, and only that."""
        self.rebuilds += 1
        self.epochs += 1
        self.repaired_at = self.now
        self.closed.clear()
        for claim in self.claims.values():
            active = claim.state == "active"
            claim.hold = Hold(claim.units, claim.deadline, claim.grant) if active else None
        for shelf in self.shelves.values():
            shelf.applied = len(shelf.movements)
