"""Ways to get the stock wrong, which the random histories must find."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from storefront.core.lua import Script
from storefront.stock import scripts
from storefront.stock.journal import Journal
from storefront.stock.stockroom import Fence
from tests.chaos import bugs


@dataclass(frozen=True)
class Slip:
    """`wrong` in the place of `right` in one script."""

    name: str
    script: Script
    right: str
    wrong: str = ""


SLIPS = (
    Slip(
        "reserve takes units that are not free", scripts.reserve,
        "if available < units then return answer('insufficient_stock') end",
    ),
    Slip("reserve takes anew for the same id", scripts.reserve, "if units_before then", "if false then"),
    Slip(
        "reserve forgets what the shopper believed to hold", scripts.reserve,
        "if seen >= 0 and own > seen then return answer('already') end",
    ),
    Slip(
        "the limit ignores what was bought", scripts.reserve,
        "own + tonumber(redis.call('HGET', bought, shopper) or 0)", "own",
    ),
    Slip("the limit ignores what is held", scripts.reserve, "if limit and own + ", "if limit and "),
    Slip("a hold is not counted for its shopper", scripts.reserve, "held, shopper, units", "held, shopper, 0"),
    Slip("a hold has run out when it is granted", scripts.reserve, "granted_at_ms + hold_ms", "granted_at_ms"),
    Slip("settle gives back what was ordered", scripts.settle, "units - staying - ordered", "units - staying"),
    Slip("settle gives back twice", scripts.settle, "redis.call('HDEL', holds, id)\nif staying", "if staying"),
    Slip("settle lets go of what stays", scripts.settle, "tonumber(ARGV[3]), tonumber(", "0, tonumber("),
    Slip("settle raises a hold again", scripts.settle, " or units <= staying"),
    Slip(
        "settle takes the units of a late click for ordered", scripts.settle,
        "if granted_at_ms ~= ARGV[5] then ordered = 0 end",
    ),
    Slip(
        "settle does not count an order for the limit", scripts.settle,
        "if ordered > 0 then count_bought(level, bought, shopper, ordered) end",
    ),
    Slip("an order raises the limit", scripts.settle, "shopper, ordered)", "shopper, -ordered)"),
    Slip("settle leaves the deadline", scripts.settle, "else\n  redis.call('ZREM', due, id)\nend", "end"),
    Slip("units come back and nobody hears of it", scripts.settle, "'PUBLISH', 'stock'", "'PUBLISH', 'stick'"),
    Slip("extend moves a deadline back", scripts.extend, "if deadline <= before then return before end"),
    Slip("extend does nothing", scripts.extend, "redis.call('ZADD', due, 'XX', deadline, id)"),
    Slip("a movement is applied twice", scripts.apply_movement, "if number <= last then return 'applied_before' end"),
    Slip("a movement is skipped", scripts.apply_movement, "if number > last + 1 then return 'gap' end"),
    Slip("a movement is not noted", scripts.apply_movement, "redis.call('HSET', level, 'number', number)"),
    Slip("a cancellation lowers the limit", scripts.apply_movement, "shopper, -returned)", "shopper, returned)"),
    Slip("introduce overwrites", scripts.introduce, "if redis.call('EXISTS', level) == 1 then return 0 end"),
    Slip("the epoch is not looked at", scripts.reserve, "found[3] ~= epoch", "not found[3]"),
    Slip("the version is not raised", scripts.reserve, "'version', 1)", "'version', 0)"),
    Slip("the number before is announced", scripts.reserve, "math.max(available,", "math.max(available - units,"),
)  # fmt: skip


@contextmanager
def slipped(slip: Slip) -> Iterator[None]:
    """The script is wrong within the block, wherever it is loaded and called."""
    script = slip.script
    assert script.source.count(slip.right) == 1, f"{script.path.name} has changed: where is {slip.right!r}?"
    script.source = script.source.replace(slip.right, slip.wrong)
    vars(script).pop("sha", None)
    try:
        yield
    finally:
        vars(script).pop("source")  # both are read anew from the file
        vars(script).pop("sha", None)


@contextmanager
def planted(bug: str) -> Iterator[None]:
    """One of the protocol bugs of the chaos suite is there within the block."""
    owners = (Journal, Script, Fence, bugs.repair, bugs.reservations, bugs.settlement)
    before = [(owner, name, value) for owner in owners for name, value in vars(owner).items()]
    bugs.plant(bug)
    try:
        yield
    finally:
        for owner, name, value in before:
            if vars(owner)[name] is not value:
                setattr(owner, name, value)
