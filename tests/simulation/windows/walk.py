"""Days of a shop whose customers do with their windows whatever they like, drawn from one seed."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from random import Random

from sqlalchemy import Engine

from tests.simulation.engine.faults import Fault, Kind, Point, applies, nothing
from tests.simulation.engine.verdict import Violation
from tests.simulation.engine.worker_process import TICKS
from tests.simulation.windows.customer import PGS, Customer, a_story
from tests.simulation.windows.shop import Shop
from tests.simulation.windows.verdict import judge_windows
from tests.simulation.windows.world import DAY, HOUR, WindowWorld, emptied_of_windows
from worker.domain.errors import Refused
from worker.sandbox.rules.behaviours import decline, pay
from worker.sandbox.rules.webhooks import Webhook
from worker.sandbox.store import key_rows
from worker.sandbox.switches import Outage, RegistrationAmount, Repeat

EPILOGUE = 9 * DAY  # longer than the look-up backoff and the dunning calendar
LONGEST_FREEZE_IN_ALL = 600.0  # of one worker's run: what it sends afterwards lands within the quiet period


class WindowWalk:
    """One seed's history; `tell` raises Violation."""

    def __init__(self, engine: Engine, seed: int, *, steps: int) -> None:
        draw = self._random = Random(seed)
        self._seed, self._steps = seed, steps
        self._often = draw.choice((0.0, 0.01, 0.03, 0.06))
        self._frozen: dict[tuple[str, int], float] = {}
        self._backup: float | None = None
        rules = {
            "repeated_paid": draw.choice((Repeat.REFUSE, Repeat.REFUSE_AS_PG)),
            "repeated_failed": draw.choice((Repeat.ACCEPT, Repeat.ACCEPT, Repeat.REFUSE, Repeat.REFUSE_AS_PG)),
            "repeated_in_flight": draw.choice((Repeat.REFUSE, Repeat.REFUSE_AS_PG, Repeat.SERIALIZE)),
            "registration_amount": draw.choice(tuple(RegistrationAmount)),
            "lookup_delay_seconds": draw.choice((0.0, 0.0, 30.0, 600.0)),
            "window_approval_seconds": draw.choice((0.0, 0.0, 5.0, 90.0)),
        }
        self._world = WindowWorld(engine, self._fault, rules=rules)
        self._world.choose = draw.choice
        self._world.post = self._post
        self._shop = Shop(self._world, draw)
        self._customer = Customer(self._world, draw, self._shop.links)

    def tell(self) -> tuple[int, int]:
        """Returns how many steps there were, and how many periods the documented residue has paid twice."""
        world = self._world
        try:
            self._begin()
            for _ in range(self._steps):
                self._step()
            self._epilogue()
            return self._steps, judge_windows(world)
        except Violation as violation:
            raise Violation(
                f"told again by: tell_walk(engine, {self._seed}, steps={self._steps})\n{violation}"
            ) from None
        finally:
            world.close()

    # --- the parts --------------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        draw, world = self._random, self._world
        cadence, dunning = draw.choice(("month", "month", "week")), draw.choice(("1,3,5,7", "1,2,3"))
        world.book.plan("monthly", now=world.now(), cadence=cadence, dunning=dunning)
        world.start_worker(behind=draw.uniform(-30, 30))
        self._shop.codes.append(world.pending())
        for _ in range(2):
            self._shop.codes.append(world.subscribe(decline(), *a_story(draw), pg=draw.choice(PGS)))
        world.tick("open", "charge")
        world.run(until=200.0)

    def _step(self) -> None:
        draw = self._random
        acts: list[tuple[int, Callable[[], object]]] = [
            (6, self._shop.make_link),
            (16, self._customer.open),
            (12, self._customer.decide),
            (3, self._customer.report),
            (2, self._customer.knock),
            (1, self._customer.forge),
            (2, self._shop.change_something),
            (1, self._outage),
            (1, self._backups),
        ]
        draw.choices([act for _, act in acts], weights=[weight for weight, _ in acts])[0]()
        for kind in draw.sample(TICKS, k=draw.choice((0, 2, 3))):
            for _ in range(draw.choice((1, 1, 1, 1, 2))):
                self._world.after(draw.choice((0.0, 0.0, draw.uniform(0, 60))), partial(self._world.tick, kind))
        self._world.run(until=self._world.time + self._gap())

    def _gap(self) -> float:
        draw = self._random
        return draw.choice(
            (
                *(draw.uniform(0, 60) for _ in range(4)),
                draw.uniform(60, HOUR),
                draw.uniform(60, HOUR),
                draw.uniform(HOUR, 8 * HOUR),
                DAY + draw.uniform(-60, 600),
            )
        )

    def _epilogue(self) -> None:
        """Nothing goes wrong any more, for long enough that everything has to come to its end."""
        world = self._world
        world.plan = nothing
        world.post = lambda _: (1.0,)
        world.sandbox.change_switches({"outage": Outage.NONE})
        key_rows.set_story(world.sandbox.ledger, (pay(),), None)
        world.live(until=world.time + EPILOGUE)

    # --- what PortOne does ------------------------------------------------------------------------------------------

    def _post(self, _: Webhook) -> tuple[float, ...]:
        draw = self._random
        late = draw.uniform(0, 1.5 * DAY)
        return draw.choice(((), (), (0.0,), (1.0,), (1.0, 61.0), (late,), (1.0, late)))

    def _outage(self) -> None:
        sandbox = self._world.sandbox
        sandbox.change_switches({"outage": self._random.choice(tuple(Outage))})
        ends = self._random.uniform(60, 8 * HOUR)
        self._world.after(ends, partial(sandbox.change_switches, {"outage": Outage.NONE}))

    # --- what goes wrong --------------------------------------------------------------------------------------------

    def _backups(self) -> None:
        world = self._world
        if world.restored:
            return
        if self._backup is None:
            self._backup = world.back_up()
        elif world.time - self._backup < 3 * DAY:
            world.put_back(self._backup)

    def _fault(self, point: Point) -> Fault | None:
        draw = self._random
        if draw.random() >= self._often:
            return None
        kind = draw.choice([kind for kind in Kind if applies(kind, point)])
        return Fault(kind, self._how_long(point) if kind in (Kind.FREEZE, Kind.SUSPEND) else 0.0)

    def _how_long(self, point: Point) -> float:
        if point.worker.startswith("page"):
            return self._random.uniform(1, 4 * HOUR)
        run = next((worker.name, worker.done) for worker in self._world.workers if worker.name == point.worker)
        left = LONGEST_FREEZE_IN_ALL - self._frozen.get(run, 0.0)
        seconds = self._random.uniform(0, left)
        self._frozen[run] = LONGEST_FREEZE_IN_ALL - left + seconds
        return seconds


def tell_walk(engine: Engine, seed: int, *, steps: int = 40) -> tuple[int, int]:
    """Run the walk of a seed; raises Violation."""
    with suppress(Refused), emptied_of_windows(engine):
        return WindowWalk(engine, seed, steps=steps).tell()
    raise AssertionError("a refusal went past whoever asked")
