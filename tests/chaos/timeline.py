"""The faults, drawn from a seed: what happens to the processes, to Redis, to the connections and to PostgreSQL."""

import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.chaos import points
from tests.chaos.family import Plan, alive
from tests.chaos.probe import Probe
from tests.chaos.world import World


@dataclass(frozen=True)
class Weather:
    """How hard it blows: mean seconds between faults of a kind (0: none), and what is drawn with which weight."""

    process_seconds: float = 0.45
    redis_seconds: float = 1.5
    sql_seconds: float = 12.0
    crash_share: float = 0.75  # of the new processes carry the end at a named point in them
    pause_share: float = 0.06  # of the new processes carry a stop at a named point in them
    pause_seconds: tuple[float, float] = (0.5, 6.0)
    web_points: tuple[str, ...] = points.WEB
    worker_points: tuple[str, ...] = points.WORKER
    redis_faults: tuple[str, ...] = ()  # none named: all


class Timeline:
    """Threads that make faults until `stop`; `log` says what happened when."""

    def __init__(self, world: World, probe: Probe, weather: Weather, seed: int):
        self.world = world
        self.probe = probe
        self.weather = weather
        self.redis_faults: Counter[str] = Counter()
        self.sql_faults: Counter[str] = Counter()
        self.log: list[str] = []
        self.errors: list[str] = []
        self._began = time.monotonic()
        self._plans, self._process, self._redis, self._sql = (
            random.Random(f"{seed}:{name}") for name in ("plans", "process", "redis", "sql")
        )
        self._over = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(mean, dice, step), daemon=True)
            for mean, dice, step in (
                (weather.process_seconds, self._process, self._hit_process),
                (weather.redis_seconds, self._redis, self._hit_redis),
                (weather.sql_seconds if world.database.kind == "postgres" else 0, self._sql, self._hit_sql),
            )
            if mean
        ]
        world.family.plan_of = self.plan_of
        world.family.pause_seconds = lambda: self._plans.uniform(*weather.pause_seconds)
        world.family.on_event = self.note

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """No faults any more; everything that stood still goes on."""
        self._over.set()
        for thread in self._threads:
            thread.join(60)
        self.world.family.plan_of = lambda kind: {}
        self.world.redis.proxy.set(delay_ms=0, swallow=0)
        self.world.family.continue_all()

    def note(self, event: str) -> None:
        self.log.append(f"{time.monotonic() - self._began:8.3f} s  {event}")

    def _run(self, mean: float, dice: random.Random, step: Callable[[], Any]) -> None:
        while not self._over.wait(min(dice.expovariate(1 / mean), 3 * mean)):
            try:
                step()
            except Exception as error:
                self.errors.append(f"{step.__name__}: {type(error).__name__}: {error}")

    # --- processes

    def plan_of(self, kind: str) -> Plan:
        """What a process that is just being born is to do later on."""
        weather, dice = self.weather, self._plans
        choices = {
            "web": weather.web_points,
            "worker": weather.worker_points,
            "operator": ("movement committed, not told",) if dice.random() < 0.4 else (),
        }.get(kind, ())
        chance = dice.random()
        if not choices or chance > weather.crash_share + weather.pause_share:
            return {}
        often = kind == "web" and weather.crash_share < 1
        return {
            "point": dice.choice(choices),
            "after": dice.choice((1, 1, 2, 3, 5)) if often else 1,
            "pause": chance > weather.crash_share,
        }

    def _hit_process(self) -> None:
        dice, family = self._process, self.world.family
        name = alive(dice, family, dice.choices(("web", "worker", "clock"), (6, 3, 1))[0])
        if name is None:
            return
        what = dice.random()
        if what < 0.72:
            family.kill(name, signal.SIGKILL)
        elif what < 0.86:
            family.kill(name, signal.SIGTERM)
        else:
            family.pause(name, dice.uniform(0.2, 4.5))

    # --- Redis

    def _hit_redis(self) -> None:
        dice, redis = self._redis, self.world.redis
        kinds: dict[str, Callable[[], None]] = {
            "killed, restarted": redis.crash,
            "wiped": redis.wipe,
            "FLUSHALL": redis.flush_all,
            "set back to an older file": lambda: redis.set_back(dice.choice),
            "power cut": redis.cut_power,
            "frozen": lambda: redis.freeze(dice.uniform(0.2, 2.5)),
            "connections cut": lambda: redis.proxy.set(cut=True),
            "replies swallowed": lambda: self._swallow(dice),
            "connections delayed": lambda: self._delay(dice),
        }
        if redis.clock.available:
            kinds["clock jumped"] = lambda: redis.jump(dice.choice((-20, -3, -1, 1, 3, 20)))
        kind = dice.choice(self.weather.redis_faults or tuple(kinds))
        self.note(f"Redis: {kind}")
        kinds[kind]()
        self.note(f"Redis: {kind}, over")
        self.redis_faults[kind] += 1
        self.probe.wait_until_sold(kind)

    def _swallow(self, dice: random.Random) -> None:
        self.world.redis.proxy.set(swallow=dice.randint(1, 12), hang_ms=dice.choice((0, 0, 1500)))
        self._over.wait(0.5)
        self.world.redis.proxy.set(swallow=0)

    def _delay(self, dice: random.Random) -> None:
        self.world.redis.proxy.set(delay_ms=dice.choice((5, 50, 400)))
        self._over.wait(dice.uniform(0.3, 1.5))
        self.world.redis.proxy.set(delay_ms=0)

    # --- PostgreSQL

    def _hit_sql(self) -> None:
        dice, database = self._sql, self.world.database
        if dice.random() < 0.75:
            database.cut_connections(dice.choice((0.1, 0.5, 1.0)))
            kind = "connections ended"
        else:
            self.note("PostgreSQL: restarting")
            kind = f"restarted ({database.restart(dice)})"
        self.sql_faults[kind] += 1
        self.note(f"PostgreSQL: {kind}")
