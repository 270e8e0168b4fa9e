"""A database restored from a backup that lacks payments, declines, and a request in progress."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from sqlalchemy import Engine

from tests.simulation.charging.exhaustive import CRASH
from tests.simulation.charging.one_period import due_in
from tests.simulation.engine.backup import back_up
from tests.simulation.engine.database import emptied
from tests.simulation.engine.faults import Plan, Point, at, nothing
from tests.simulation.engine.outside import restore
from tests.simulation.engine.stories import RULES
from tests.simulation.engine.verdict import Violation, judge
from tests.simulation.engine.worker_process import TICKS, WorkerProcess
from tests.simulation.engine.world import World
from tests.support.arrivals import HostReply
from worker.sandbox.rules.behaviours import decline, pay, slow

DAY = 86_400.0
AT_MOST = 3 * DAY
SOON_SECONDS = 20.0
RESTART_SECONDS = 5.0
UNDER_WAY_SECONDS = 600.0
TURNS = 9  # points, until a rule is used again where not all are run

_SWEPT = """
    INSERT INTO sweeps (reason, holds_claims, since, until, position, started_at, finished_at, lease_until)
    VALUES ('daily', false, :now, :now, :now, :now, :now, :now)
"""
_HOLD_OVER = "SELECT id FROM sweeps WHERE reason = 'restored' AND finished_at IS NOT NULL AND ended_early IS NULL"

Scene = Callable[[World], None]


def forgotten_day(world: World) -> None:
    """A day's work that the backup does not have: paid, declined and then paid, in progress, and never sent."""
    world.book.plan("monthly", now=world.now(), dunning="1")
    tomorrow = world.instant(DAY).date()
    world.subscribe(pay())
    world.subscribe(decline(), pay())
    world.subscribe(slow(UNDER_WAY_SECONDS), pay(), starts_on=tomorrow)
    world.subscribe(pay(), starts_on=world.instant(2 * DAY).date())
    back_up(world.engine)
    world.start_worker()
    for tick in (1.0, 90.0, DAY, DAY + 90.0):
        world.run(until=tick)
        world.workers[0].tick("open", "charge", *world.relays)
    world.run(until=DAY + 100.0)
    restore(world)


@dataclass(frozen=True)
class Restored:
    """The parameters of one history of a restore; equal ones give the same order of events."""

    scene: Scene = forgotten_day
    rules: dict[str, Any] = field(default_factory=dict)
    plan: Plan = nothing
    worker_class: type[WorkerProcess] = WorkerProcess
    listens: bool = False  # a host, which is told of everything
    daily: bool = False  # with the regular reconciliation too, beside the one that holds charging


@dataclass(frozen=True)
class Told:
    """The result: the points before and after the restore, and which came before charging resumed."""

    points: Sequence[Point]
    first: int
    last: int


def tell_restored(engine: Engine, history: Restored) -> Told:
    """Run a history and check it; raises Violation."""
    with emptied(engine):
        world = World(engine, history.plan, rules=history.rules, watched=True)
        if not history.daily:
            world.statement_policy = replace(world.statement_policy, every=timedelta(days=30))
        world.worker_class = history.worker_class
        try:
            world.change(_SWEPT, now=world.now())  # the regular reconciliation has just run
            if history.listens:
                world.listen(lambda: HostReply.TAKE)
            history.scene(world)
            first, last = len(world.points), _live(world)
            if history.listens:
                world.deliver_everything()
            judge(world)
            _sent_nothing_twice(world)
            return Told(world.points, first, last)
        finally:
            world.close()


def tell_every_crash(engine: Engine, *, thorough: bool) -> int:
    """Crash at every point from the restore to the hold's end, under each rule; returns how many histories."""
    number = 0
    for rules in RULES:
        calm = _checked(engine, Restored(rules=rules), f"restored, {'-'.join(rules.values())}")
        number += 1
        for point in calm.points[calm.first : calm.last]:
            # Under the first, a merchant_uid is no barrier. If not all are run, each point gets one of the others.
            if thorough or rules is RULES[0] or point.number % TURNS == RULES.index(rules):
                struck = Restored(rules=rules, plan=at({point.number: CRASH}))
                _checked(engine, struck, f"restored, crash at {point}, {'-'.join(rules.values())}")
                number += 1
    return number


def tell_what_was_told(engine: Engine) -> int:
    """Restore a backup that a host was told more than, with crashes on the way; returns how many histories."""
    told = Restored(rules=RULES[0], listens=True)
    calm = _checked(engine, told, "restored, with a host")
    struck = calm.points[calm.first : calm.last : TURNS]
    for point in struck:
        _checked(engine, replace(told, plan=at({point.number: CRASH})), f"restored, with a host, crash at {point}")
    return 1 + len(struck)


def _checked(engine: Engine, history: Restored, name: str) -> Told:
    try:
        return tell_restored(engine, history)
    except Violation as violation:
        raise Violation(f"{name}\n{violation}") from None


def _live(world: World) -> int:
    """Tick until nothing is due; returns the number of points at the end of the hold."""
    over = 0
    while world.time < AT_MOST:
        if not any(worker.alive and not worker.frozen for worker in world.workers):
            world.run(until=world.time + RESTART_SECONDS)
            world.start_worker()
        before = due_in(world)
        for worker in world.living():
            if not worker.frozen:
                due_now = (kind for kind in TICKS if kind == "sweep" or before.get(kind, AT_MOST) <= world.time)
                worker.tick(*due_now, *world.relays)
        world.run_until_idle(until=world.time + 3600)
        over = over or (len(world.points) if world.sql(_HOLD_OVER) else 0)
        due = due_in(world)
        coming = [at for at in due.values() if at > world.time]
        coming.append(world.time + world.statement_policy.every.total_seconds())
        waits_for_the_hold = due == before and "sweep" in due and world.living()
        if min(due.values(), default=AT_MOST) <= world.time and not waits_for_the_hold:
            coming.append(world.time + SOON_SECONDS)
        world.run(until=min(*coming, AT_MOST) + 1.0)
    return over or len(world.points)


def _sent_nothing_twice(world: World) -> None:
    """Payments that PortOne has are backfilled, not charged again, even where that would be rejected."""
    sql = """SELECT r.merchant_uid FROM requests r JOIN payments p USING (merchant_uid)
             WHERE r.endpoint LIKE '%/again' AND p.status = 'paid' AND r.received_at > p.paid_at + 1"""
    for row in world.sandbox.ledger.execute(sql):
        raise Violation(f"{row['merchant_uid']} was paid and sent again\n" + "\n".join(world.struck))
