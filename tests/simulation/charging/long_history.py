"""Weeks of many subscriptions with everything that may go wrong, drawn from one seed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from random import Random

from sqlalchemy import Engine

from tests.simulation.charging.one_period import due_in
from tests.simulation.engine.database import emptied
from tests.simulation.engine.faults import Fault, Kind, Point, applies, nothing
from tests.simulation.engine.mishaps import DAY, HOUR, Mishaps
from tests.simulation.engine.relaying import RELAY
from tests.simulation.engine.stories import CLOSED, SPOILT
from tests.simulation.engine.verdict import Violation, judge
from tests.simulation.engine.worker_process import TICKS, WorkerProcess
from tests.simulation.engine.world import World
from tests.support.arrivals import HostReply
from worker.sandbox.rules.behaviours import Behaviour, Reply, Shape, decline, flaky, misrecorded, pay, slow, troubled
from worker.sandbox.store import key_rows
from worker.sandbox.switches import Repeat

EPILOGUE = timedelta(days=10).total_seconds()  # longer than the look-up backoff and the dunning calendar
PGS = ("kakaopay", "payco", "nice_v2", "naverpay")
PLANS = (
    {"cadence": "day"},
    {"cadence": "2 weeks", "catch_up": "latest"},
    {"cadence": "month"},
    {"cadence": "cron 0 9 * * 1,4", "catch_up": "skip"},
    {"cadence": "cron 30 23 */5 * *", "charge_hour": "23"},
)
MIX = (
    (12, pay()),
    (3, decline()),
    (2, decline(shape=Shape.MESSAGE, recorded=False)),
    (1, decline("ZZ99", "알 수 없는 사유", shape=Shape.MESSAGE)),
    (2, slow(600.0)),
    (2, slow(1.0, answer_seconds=200.0)),
    (2, pay(hidden_seconds=900.0)),
    (2, Behaviour(reply=Reply.DROP, hidden_seconds=600.0)),
    (2, troubled(Reply.UNAUTHORIZED, charged=False)),
    (1, misrecorded()),
    *((1, troubled(reply, charged=charged)) for reply in SPOILT for charged in (True, False)),
)
REPLIES = (*(HostReply.TAKE,) * 12, HostReply.LOSE, HostReply.HANG, HostReply.REFUSE, HostReply.REFUSE)
RELAYED = (*TICKS, RELAY)
LONGEST_FREEZE_IN_ALL = 600.0  # in one pump run: with the slowest landing above, still within the quiet period


class LongHistory:
    """One seed's history; `tell` raises Violation."""

    def __init__(self, engine: Engine, seed: int) -> None:
        self._seed, self._random = seed, Random(seed)
        self._frozen: dict[tuple[str, int], float] = {}
        draw = self._random
        rules = {
            "repeated_paid": draw.choice((Repeat.ACCEPT, Repeat.REFUSE, Repeat.REFUSE_AS_PG, Repeat.REFUSE_VAGUELY)),
            "repeated_failed": draw.choice((Repeat.ACCEPT, Repeat.REFUSE, Repeat.REFUSE_AS_PG)),
            "repeated_in_flight": draw.choice(tuple(Repeat)),
        }
        self._world = World(engine, self._fault, rules=rules, watched=True)
        self._world.choose = draw.choice
        self._often = draw.choice((0.02, 0.04, 0.08))
        self._ends = draw.randint(6, 25) * DAY
        self._mishaps = Mishaps(self._world, draw, ends=self._ends)

    def tell(self) -> list[str]:
        world = self._world
        try:
            self._people()
            self._weeks()
            self._epilogue()
            judge(world)
        except Violation as violation:
            raise Violation(f"told again by: make torture SEED={self._seed}\n{violation}") from None
        else:
            return world.struck
        finally:
            world.close()

    # --- the parts --------------------------------------------------------------------------------------------------

    def _people(self) -> None:
        draw, world = self._random, self._world
        self._host = world.listen(lambda: draw.choice(REPLIES))
        for number, terms in enumerate(PLANS):
            world.book.plan(f"plan{number}", now=world.now(), **terms)
        for number in range(draw.randint(5, 12)):
            self._subscribe(f"plan{number % len(PLANS)}", -draw.randint(-5, 20))
        for _ in range(draw.randint(1, 3)):
            self._start_worker()

    def _subscribe(self, plan: str, in_days: int) -> None:
        draw, world = self._random, self._world
        story: Sequence[Behaviour] = (flaky(draw.randrange(1 << 30), mix=MIX),)
        if draw.random() < 0.1:
            story = (flaky(draw.randrange(1 << 30), mix=MIX, times=draw.randint(1, 9)), decline(*CLOSED))
        starts_on = world.now().date() + timedelta(days=in_days)
        world.subscribe(*story, pg=draw.choice(PGS), plan=plan, starts_on=starts_on)

    def _weeks(self) -> None:
        draw, world = self._random, self._world
        while world.time < self._ends:
            # Beat sends a statement reconciliation twice a minute; each run does one slice.
            sweeps = ("sweep",) * 3 if self._mishaps.is_held() else ()
            for kind in (*sweeps, *draw.sample(RELAYED, k=len(RELAYED))):
                for _ in range(draw.choice((0, 1, 1, 1, 1, 1, 1, 1, 1, 2))):  # lost, or delivered twice
                    late = draw.choice((0.0, 0.0, 0.0, draw.uniform(0, 2 * HOUR)))
                    world.after(late, partial(self._deliver, kind))
            self._mishaps.happen()
            if draw.random() < 0.01:
                self._subscribe(f"plan{draw.randrange(len(PLANS))}", draw.randint(0, 1))
            world.run(until=self._next_tick())

    def _next_tick(self) -> float:
        draw, world = self._random, self._world
        if draw.random() < 0.005:
            world.idle_ticks.come = False
            return world.time + draw.uniform(1, 6) * DAY  # no ticks, as when beat is down
        if self._mishaps.is_held():
            return world.time + draw.uniform(10, HOUR / 2)
        due = min((at for at in due_in(world).values() if at > world.time), default=world.time + DAY)
        return min(world.time + draw.uniform(0.2, 10) * HOUR, due + draw.uniform(0, 300))

    def _deliver(self, kind: str) -> None:
        able = self._world.living()
        if able:
            self._random.choice(able).tick(kind)
        if len(able) < 2 and self._random.random() < 0.5:
            self._start_worker()

    def _start_worker(self) -> WorkerProcess:
        return self._world.start_worker(behind=self._random.uniform(-60, 60))

    def _epilogue(self) -> None:
        """Run without trouble for long enough that everything has to be settled."""
        world = self._world
        world.plan = nothing
        key_rows.set_story(world.sandbox.ledger, (pay(),), None)
        self._host.reply = lambda: HostReply.TAKE
        self._mishaps.end()
        while self._mishaps.is_held():  # whatever has piled up: each run does one slice
            (world.living() or [self._start_worker()])[-1].tick("sweep")
            world.run(until=world.time + 30)
        ends = world.time + EPILOGUE
        while world.time < ends:
            worker = next((each for each in world.living() if not each.frozen), None) or self._start_worker()
            self._mishaps.end()
            worker.tick(*TICKS, *RELAYED)  # what was hidden the first time is visible the second time
            world.run_until_idle(until=world.time + HOUR)
            due = min((at for at in due_in(world).values() if at > world.time), default=ends)
            world.run(until=min(max(due, world.time) + 121, world.time + DAY))
        world.start_worker().tick(*RELAYED)
        world.run_until_idle(until=world.time + HOUR)
        world.deliver_everything()

    # --- what goes wrong --------------------------------------------------------------------------------------------

    def _fault(self, point: Point) -> Fault | None:
        draw = self._random
        if draw.random() > self._often:
            return None
        # The database's clock is set in histories of their own: what falls due when is judged by it here.
        kind = draw.choice([kind for kind in Kind if applies(kind, point) and kind is not Kind.SET_DATABASE_CLOCK])
        if kind is Kind.SET_CLOCK:
            return Fault(kind, draw.uniform(-6, 6) * HOUR)
        return Fault(kind, self._how_long(point) if kind in (Kind.FREEZE, Kind.SUSPEND) else 0.0)

    def _how_long(self, point: Point) -> float:
        """Return how long to freeze a worker. In a pump run a request may be about to leave: see the bound above."""
        if point.what.startswith(("findAll", "status")):
            return self._random.uniform(60, 4 * HOUR)
        run = next((worker.name, worker.done) for worker in self._world.workers if worker.name == point.worker)
        left = LONGEST_FREEZE_IN_ALL - self._frozen.get(run, 0.0)
        seconds = self._random.uniform(0, left)
        self._frozen[run] = LONGEST_FREEZE_IN_ALL - left + seconds
        return seconds


def tell_long(engine: Engine, seed: int) -> list[str]:
    """Run the long history of a seed; returns the faults that struck, in order."""
    with emptied(engine):
        return LongHistory(engine, seed).tell()
