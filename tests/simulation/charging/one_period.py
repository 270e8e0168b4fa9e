"""One billing period from its first tick to its end, in as few steps as possible."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

from sqlalchemy import Engine

from tests.simulation.engine.database import emptied
from tests.simulation.engine.faults import Plan, Point, nothing
from tests.simulation.engine.outside import correct_all
from tests.simulation.engine.verdict import judge
from tests.simulation.engine.worker_process import WorkerProcess
from tests.simulation.engine.world import World
from worker.sandbox.rules.behaviours import Behaviour

AT_MOST = timedelta(days=10).total_seconds()
RESTART_SECONDS = 5.0

_DUE = """
    SELECT (SELECT min(next_charge_at) FROM subscriptions) AS open,
           (SELECT min(next_attempt_at) FROM charges c JOIN subscriptions s ON s.id = c.subscription_id
            JOIN billing_keys k ON k.id = s.billing_key_id WHERE k.status = 'active') AS charge,
           least((SELECT min(next_lookup_at) FROM attempts WHERE status = 'unknown'),
                 (SELECT min(lease_until) FROM attempts WHERE status = 'started')) AS reconcile,
           (SELECT min(greatest(until, lease_until)) FROM sweeps WHERE finished_at IS NULL) AS sweep
"""


@dataclass(frozen=True)
class History:
    """The parameters of one history; equal ones give the same order of events."""

    story: Sequence[Behaviour]
    rules: dict[str, Any] = field(default_factory=dict)
    plan: Plan = nothing
    pg: str = "kakaopay"
    behind: Sequence[float] = (0.0,)  # one worker each, and how far its clock lags
    worker_class: type[WorkerProcess] = WorkerProcess
    watched: bool = False  # by the restore guard, which notices a set clock of the database
    alone: bool = False  # no other worker takes over while the only one is frozen
    corrected_after: float | None = None  # seconds until PortOne corrects what it has recorded as failed


@dataclass(frozen=True)
class Told:
    """The result of a history."""

    points: Sequence[Point]
    repeated: bool  # a merchant_uid was sent more than once, so the rules about that took part


def tell(engine: Engine, history: History) -> Told:
    """Run a history and check it; raises Violation."""
    with emptied(engine):
        world = World(engine, history.plan, rules=history.rules, watched=history.watched)
        try:
            world.worker_class = history.worker_class
            world.subscribe(*history.story, pg=history.pg)
            for behind in history.behind:
                world.start_worker(behind=behind)
            if history.corrected_after is not None:
                world.after(history.corrected_after, partial(correct_all, world))
            live(world, alone=history.alone)
            judge(world)
            return Told(world.points, _repeated(world))
        finally:
            world.close()


def live(world: World, *, alone: bool) -> None:
    """Tick while anything is due, or will be."""
    patience, before, due = 1.0, None, {"open": 0.0}
    while world.time < AT_MOST:
        if not world.living() or (all(worker.frozen for worker in world.living()) and not alone):
            world.start_worker()
        kinds = [kind for kind, at in due.items() if at <= world.time]
        for worker in world.living():
            if kinds and not worker.frozen:
                worker.tick(*kinds)
        world.run_until_idle(until=world.time + 3600)
        before, due = due, due_in(world)
        times = () if alone and any(worker.frozen for worker in world.living()) else due.values()
        coming = [when for when in (*times, world.next_happening()) if when is not None]
        if not world.living():
            coming.append(world.time + RESTART_SECONDS)
        if min(coming) > AT_MOST:  # the next period
            return
        # What was due and still is, is so by a clock that is ahead: wait.
        patience = 2 * patience if due == before else 1.0
        world.run(until=max(min(coming), world.time) + patience)


def due_in(world: World) -> dict[str, float]:
    """Return when each tick finds something to do, in seconds of this world."""
    row = world.sql(_DUE)[0]._mapping
    return {kind: world.since_start(at) for kind, at in row.items() if at is not None}


def _repeated(world: World) -> bool:
    sql = """SELECT count(*) FROM requests WHERE endpoint LIKE '%/again' AND merchant_uid IS NOT NULL
             GROUP BY merchant_uid HAVING count(*) > 1"""
    return world.sandbox.ledger.value(sql) is not None
