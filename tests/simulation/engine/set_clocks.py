"""One period while a clock is set: a worker's or the database's, ahead or back, at each point of each request.

The story is the worst one for it: PortOne works on the call for minutes, shows nothing meanwhile, and takes the same
merchant_uid again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from tests.simulation.charging.exhaustive import checked
from tests.simulation.charging.one_period import History, tell
from tests.simulation.engine.faults import Fault, Kind, Plan, Point, applies
from tests.simulation.engine.stories import RULES
from tests.simulation.engine.worker_process import WorkerProcess
from worker.domain.clock import Clock
from worker.ledger import charging_hold
from worker.sandbox.rules.behaviours import pay, slow

UNDER_WAY_SECONDS = 900.0
LONG, SHORT = 6000.0, 240.0
"""Beyond a quiet period, yet not to before the period starts, when nothing would be due; and beyond a lease only."""

SLOW = (slow(UNDER_WAY_SECONDS), pay())
TWO_WORKERS = (0.0, 0.0)
SETTINGS = (
    *(Fault(Kind.SET_CLOCK, seconds) for seconds in (-LONG, LONG, -SHORT)),
    *(Fault(Kind.SET_DATABASE_CLOCK, seconds) for seconds in (LONG, -LONG, SHORT)),
)


def set_at(number: int, fault: Fault, *, until: int | None = None) -> Plan:
    """Set a clock at a point, and correct it at a later one."""
    right = replace(fault, seconds=-fault.seconds)

    def plan(point: Point) -> Fault | None:
        return fault if point.number == number else right if point.number == until else None

    return plan


def slow_history(plan: Plan, **changes: Any) -> History:
    return History(SLOW, RULES[0], plan, behind=TWO_WORKERS, watched=True, **changes)


def points(engine: Engine, **changes: Any) -> Sequence[Point]:
    return checked(engine, slow_history(lambda _: None, **changes), "slow").points


def tell_every_setting(engine: Engine, *, thorough: bool, **changes: Any) -> int:
    """Set a clock at every point, for good or until the point after the next; returns how many histories.

    If not all are run, each point gets one setting ahead or back, and one duration.
    """
    number = 0
    for point in points(engine, **changes):
        turn = point.number % len(SETTINGS)
        for fault in SETTINGS if thorough else (SETTINGS[turn], SETTINGS[turn - 3]):
            for until in (None, point.number + 2) if thorough else ((None, point.number + 2)[point.number // 6 % 2],):
                if applies(fault.kind, point):
                    plan = set_at(point.number, fault, until=until)
                    name = f"{fault} at {point}{'' if until is None else ', right again soon'}"
                    checked(engine, slow_history(plan, **changes), name)
                    number += 1
    return number


class LearnsOnce:
    """The machine's clock, corrected by the offset at the start of the task: as workers once did."""

    def __init__(self, worker: WorkerProcess) -> None:
        self._worker, self._ahead = worker, timedelta(0)

    def __call__(self) -> datetime:
        return self._worker.wall() + self._ahead

    def learn(self) -> None:
        self._ahead = self._worker.ask() - self._worker.wall()


class TrustsItsOwnClock(WorkerProcess):
    """Asks the database once a task, and uses its machine's clock for the rest of it."""

    def make_clock(self) -> Clock:
        return LearnsOnce(self)

    def sync(self) -> None:
        assert isinstance(self.clock, LearnsOnce)
        self.clock.learn()


def notice_no_step(patch: pytest.MonkeyPatch) -> None:
    """Trust the database's clock without a check."""
    patch.setattr(charging_hold, "_has_stepped", lambda *_, **__: False)


def tell_each(engine: Engine, fault: Fault, **changes: Any) -> None:
    """Set a clock once, at each point in turn."""
    for point in points(engine, **changes):
        if applies(fault.kind, point):
            tell(engine, slow_history(set_at(point.number, fault), **changes))
