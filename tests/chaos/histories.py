"""The random histories of the stock, many more of them than the tests play."""

import shutil
import tempfile
import traceback
from collections import Counter
from pathlib import Path

from storefront.core.db import db
from storefront.core.redis import connect
from storefront.stock.stockroom import Stockroom
from tests.chaos.world import World
from tests.stock.history.machine import play

# What a run would be worth little without; each in one history of a hundred at least.
NOTEWORTHY = (
    "click: answer lost, held", "click: goes on, stale", "click: goes on, withdrawn", "click: hold_ended",
    "click: insufficient_stock", "click: limit_reached", "click: sold_out", "click: stock_checking",
    "order: 1 SKUs", "order: 2 SKUs", "order: hold_expired", "order: insufficient_stock", "cancel",
    "release: active", "release: sold", "lowered", "extend: held", "extend: hold_expired", "extend: extension_limit",
    "holds expire", "some holds have run out, others have not", "a letter arrives", "a movement alone: gap",
    "take out: held", "take out: below_promised", "lost: everything", "lost: scripts", "lost: a counter",
    "lost: half a rebuild", "repair", "verify: true", "verify: drift",
)  # fmt: skip


def play_all(histories: int, seed: int, database: str, redis: str | None) -> bool:
    """Play them and print what happened in how many; return whether all agree with the model and say something."""
    print(f"{histories} random histories on {database}, seed {seed}", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="stockbeat-chaos-"))
    try:
        with World(folder, database, redis=redis) as world, world.app.app_context():
            met = play(_process(world), _process(world), histories, dice=seed)
    except Exception:  # with the counter-example in its notes
        traceback.print_exc()
        return False
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    for what, times in met.most_common():
        print(f"  {what:<44} {times:>6}")
    return _says_something(met, histories)


def _process(world: World) -> Stockroom:
    url = f"unix://{world.redis.socket}"
    return Stockroom(redis=connect(url), unfenced=connect(url), engine=db.engine)


def _says_something(met: Counter[str], histories: int) -> bool:
    rare = [what for what in NOTEWORTHY if met[what] * 100 < histories]
    if rare:
        print(f"Too rare to say much: {', '.join(rare)}")
    return not rare
