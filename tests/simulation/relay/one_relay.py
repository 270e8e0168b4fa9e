"""The events of one period, from the outbox to a host: stopped at every commit, and at every stage of each message."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Engine

from tests.simulation.engine.database import emptied
from tests.simulation.engine.faults import Plan, Point, nothing
from tests.simulation.engine.host import in_turn
from tests.simulation.engine.relaying import RELAY
from tests.simulation.engine.verdict import judge
from tests.simulation.engine.world import World
from tests.support.arrivals import HostReply
from worker.sandbox.rules.behaviours import decline, pay

DAY = 86_400.0
AT_MOST = timedelta(hours=2).total_seconds()
"""For which the relay is run after the last charge: longer than any lease, pause and back-off of these histories."""

RESTART_SECONDS = 5.0

_DUE = """
    SELECT greatest(min(d.next_try_at), min(x.next_try_at)) AS at
    FROM deliveries d JOIN destinations x ON x.id = d.destination_id
"""
_LEFT = "SELECT 1 FROM outbox UNION ALL SELECT 1 FROM deliveries LIMIT 1"


@dataclass(frozen=True)
class RelayHistory:
    """The parameters of one history: how the host answers, message by message, and what strikes where."""

    replies: Sequence[HostReply]
    plan: Plan = nothing
    workers: int = 1


def tell(engine: Engine, history: RelayHistory) -> Sequence[Point]:
    """Run a history and check it, and return the points of its relays; raises Violation."""
    with emptied(engine):
        world = World(engine, nothing)
        try:
            world.book.plan("monthly", now=world.now(), dunning="1")
            world.listen(in_turn(history.replies))
            world.subscribe(decline(), pay())
            world.subscribe(pay())
            for _ in range(history.workers):
                world.start_worker()
            points: list[Point] = []
            for day in (0.0, DAY):
                _charge(world, day)
                first = len(world.points)
                _relay(world, history.plan, until=day + AT_MOST)
                points += world.points[first:]
            judge(world)
            return points
        finally:
            world.close()


def _charge(world: World, when: float) -> None:
    """Charge what is due, without trouble: what strikes there is told elsewhere."""
    world.run(until=when)
    (world.living() or [world.start_worker()])[0].tick("open", "charge")
    world.run_until_idle(until=world.time + 60)


def _relay(world: World, plan: Plan, *, until: float) -> None:
    """Run the relay whenever something is due to it, until nothing is left."""
    world.plan, patience = plan, 1.0
    while world.time < until and (world.sql(_LEFT) or not _all_well(world)):
        if not any(not worker.frozen for worker in world.living()):
            world.start_worker()
        for worker in world.living():
            if not worker.frozen:
                worker.tick(RELAY)
        world.run_until_idle(until=world.time + 60)
        due = [world.since_start(row.at) for row in world.sql(_DUE) if row.at is not None]
        coming = max([world.time, *due])
        patience = 1.0 if coming > world.time else 2 * patience
        world.run(until=coming + (patience if world.living() else RESTART_SECONDS))
    world.plan = nothing


def _all_well(world: World) -> bool:
    """Return whether no worker stands still: what it does when it goes on is part of the history."""
    return not any(worker.frozen for worker in world.living())
