"""The stockroom: what the verbs of this folder work with, and the fence before the numbers in Redis."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from redis import Redis
from redis.exceptions import NoScriptError, RedisError
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from storefront.stock.journal import Journal
from storefront.stock.models import StockFence, StockLevel
from storefront.stock.outcomes import Level, StockChecking, UnknownSku


class GateClosed(RedisError):
    """The Redis behind a new connection is not the one on which the numbers were built."""


@dataclass
class Fence:
    """The epoch this process believes in, and the Redis process that belongs to it.

    A Redis that restarted may have come back with older numbers, and Redis 6 then even keeps its
    scripts. So each connection is greeted with the question who it is (`run_id`), and one that
    leads elsewhere is refused before a command can pass over it.
    """

    epoch: int = 0
    run_id: str = ""  # empty: a rebuild has raised the epoch and is not done

    @property
    def sight(self) -> tuple[int, str]:
        """Epoch and server as this process knows them."""
        return self.epoch, self.run_id

    def refresh(self, engine: Engine) -> tuple[int, str]:
        """Read epoch and server from SQL; return them.

        Whether they are news to the caller shows against the `sight` it had: another thread may have read them first.
        """
        with Session(engine) as session:
            row = session.execute(select(StockFence.epoch, StockFence.run_id)).one_or_none()
        if row:
            self.epoch, self.run_id = row
        return self.sight

    def require_redis(self) -> None:
        """Raise GateClosed where no Redis belongs to the epoch; a connection from before would still be let through."""
        if not self.run_id:
            raise GateClosed("the numbers are being made anew")

    def greet(self, connection: Any) -> None:
        """Set up a new connection; raise GateClosed where it leads to another server process."""
        connection.on_connect()
        connection.send_command("INFO", "server")
        if run_id_of(connection.read_response()) != self.run_id:
            raise GateClosed("the numbers were built on another Redis process")


def run_id_of(info: Any) -> str:
    """The `run_id` in a reply to INFO, raw (bytes or str) or parsed."""
    if isinstance(info, dict):
        return info["run_id"]
    text = info.decode() if isinstance(info, bytes) else info
    return next(line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("run_id:"))


@dataclass
class Stockroom:
    """The tools of the stock: Redis that decides, SQL that proves, the journal between them.

    `redis` goes through the fence; `unfenced` does not, it is for the rebuild and for looking at Redis itself.
    `on_closed` is called with the stockroom and a SKU whenever the gate was found closed; it must return at once.
    `is_healing` says that this process is about to open the gate again.
    """

    redis: Redis
    engine: Engine
    unfenced: Redis
    hold_ms: int = 600_000
    durability: str = "journal"
    low_stock_threshold: int = 5
    on_closed: Callable[["Stockroom", str], None] = lambda room, sku: None
    is_healing: Callable[[], bool] = lambda: False
    fence: Fence = field(default_factory=Fence)
    journal: Journal = field(init=False)
    _known_skus: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.journal = Journal(self.engine)
        self.redis.connection_pool.connection_kwargs["redis_connect_func"] = self.fence.greet

    def ask(self, sku: str, question: Callable[[int], Any], closed: Callable[[Any], bool] = bool) -> Any:
        """Put a question to Redis under the current epoch; raise StockChecking while the gate is closed.

        `question` is called with the epoch; `closed` says of its answer whether the gate was found
        closed. Where this process was merely behind (a rebuild has finished since), it asks once more.
        """
        if self.is_healing():
            raise StockChecking  # at once: a thousand waiting shoppers must not slow down the rebuild they wait for
        for _ in range(2):
            sight = self.fence.sight
            try:
                self.fence.require_redis()
                answer = question(self.fence.epoch)
                if not closed(answer):
                    return answer
            except (NoScriptError, GateClosed):
                pass
            if self.fence.refresh(self.engine) == sight:
                break
        self.on_closed(self, sku)
        raise StockChecking

    def level(self, sku: str, available: int, version: int, epoch: int, at_ms: int) -> Level:
        """A level as shoppers see it: never below 0, with the word for it."""
        shown = max(available, 0)
        state = "sold_out" if shown == 0 else "low" if shown <= self.low_stock_threshold else "in_stock"
        return Level(sku, shown, version, epoch, state, at_ms)

    def require_sku(self, sku: str) -> None:
        """Raise UnknownSku where no such SKU is counted; a SKU once seen is remembered, for none is ever removed."""
        if sku in self._known_skus:
            return
        with Session(self.engine) as session:
            if session.scalar(select(StockLevel.sku).where(StockLevel.sku == sku)) is None:
                raise UnknownSku(f"There is no SKU {sku!r}.", sku=sku)
        self._known_skus.add(sku)

    def now_ms(self) -> int:
        """The time by Redis' clock, the only one that counts, in ms."""
        seconds, microseconds = self.unfenced.time()
        return seconds * 1000 + microseconds // 1000
