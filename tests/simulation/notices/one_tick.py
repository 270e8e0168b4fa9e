"""The notices of some days: the tick is stopped at every commit. Each notice is told once, and none is lost."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

from sqlalchemy import Engine

from tests.simulation.changes.clerk import POLICY
from tests.simulation.engine.database import emptied
from tests.simulation.engine.faults import Plan, Point, nothing
from tests.simulation.engine.verdict import Violation
from tests.simulation.engine.worker_process import WorkerProcess
from tests.simulation.engine.world import World
from worker.changes.request import ChangeRequest, request_change
from worker.domain.changes import ChangeKind
from worker.domain.notices.quiet_hours import QuietHours
from worker.events.notice_keeping import NoticeKeeper
from worker.events.publishing import publish
from worker.notices.policy import NoticePolicy
from worker.notices.sending import send_notices
from worker.sandbox.rules.behaviours import decline, pay

DAY = 86_400.0
RESTART_SECONDS = 5.0
WANTED = "renewal 7, trial 7, declined, paid"
NOTICES = NoticePolicy(changes=POLICY, quiet=QuietHours(time(21), time(8)))
DAYS, DEARER_ON = (0, 2, 7, 24, 25), 25
"""The days after the start on which something is to be told, and the last of them, before which a renewal is dearer."""

_TOLD = """
    SELECT s.code, n.kind, n.about, n.correction, CAST(n.content ->> 'amount' AS bigint) AS amount, n.id
    FROM notices n JOIN subscriptions s ON s.id = n.subscription_id WHERE n.sent_at IS NOT NULL ORDER BY n.id
"""
_EVENTS = "SELECT CAST(data ->> 'notice' AS bigint) AS notice FROM events WHERE type = 'notice.due'"
_KEPT = "SELECT id FROM notices WHERE sent_at IS NULL"


class Teller(WorkerProcess):
    """Publishes events and keeps their notices, and sends what is due."""

    def does(self) -> Mapping[str, Callable[[], Awaitable[None]]]:
        return {**super().does(), "publish": self._publish, "notices": self._send}

    async def _publish(self) -> None:
        keeper = NoticeKeeper(self.clock, NOTICES.quiet)
        await asyncio.to_thread(publish, self.world.sessions, keeper=keeper)

    async def _send(self) -> None:
        await asyncio.to_thread(send_notices, self.world.sessions, policy=NOTICES, now=self.clock())


@dataclass(frozen=True, order=True)
class Told:
    """One thing that a customer is told: what about, and how much."""

    code: str
    kind: str
    about: datetime
    correction: int
    amount: int


def tell(engine: Engine, plan: Plan = nothing) -> tuple[Sequence[Told], Sequence[Point]]:
    """Run a history, and return what was told and the points of its ticks of notices; raises Violation."""
    with emptied(engine):
        world = World(engine, nothing)
        world.worker_class = Teller
        try:
            dearer = _subscribe(world)
            points = [point for day in DAYS for point in _day(world, day, dearer, plan)]
            if problems := list(_problems(world)):
                raise Violation("\n".join([*problems, *world.struck]))
            return [Told(*row[:5]) for row in world.sql(_TOLD)], points
        finally:
            world.close()


def _subscribe(world: World) -> str:
    """Subscribe one who pays, one who is declined first, and one in a trial; return the code of the first."""
    now = world.now()
    world.change("UPDATE database_identity SET identity = current_identity()")  # it was made as a copy
    world.book.plan("monthly", now=now, notices=WANTED)
    world.book.plan("trial", now=now, notices=WANTED, trial_days="14")
    dearer = world.subscribe(pay())
    world.subscribe(decline(), pay())
    world.subscribe(pay(), plan="trial", starts_on=date(2026, 1, 19))
    return dearer


def _day(world: World, day: int, dearer: str, plan: Plan) -> Iterator[Point]:
    """Let a day pass: charge what is due, and let the tick of notices be struck by what is planned."""
    world.run(until=max(day * DAY, world.time))
    if day == DEARER_ON:
        asked: dict[str, Any] = {"amount": 5000, "name": "설치비"}
        request = ChangeRequest(
            kind=ChangeKind.ONE_OFF, when=None, parameters=asked, reason="asked", subscription=dearer
        )
        request_change(world.sessions, request, policy=POLICY, now=world.now())
    _done(world, "open", "charge")
    first = len(world.points)
    world.plan = plan
    _done(world, "publish", "notices", "publish")
    world.plan = nothing
    yield from world.points[first:]


def _done(world: World, *kinds: str) -> None:
    """Run ticks to their end, again by the next worker where one has died of them."""
    for _ in range(4):
        if not world.living():
            world.run(until=world.time + RESTART_SECONDS)
            world.start_worker()
        failed = len(world.failed_ticks)
        world.living()[-1].tick(*kinds)
        world.run_until_idle(until=world.time + 600)
        if world.living() and len(world.failed_ticks) == failed:
            return


def _problems(world: World) -> Iterator[str]:
    """Return what does not hold of what was told: each notice has one event, and nothing is left."""
    told = Counter(row.notice for row in world.sql(_EVENTS))
    sent = Counter(row.id for row in world.sql(_TOLD))
    if told != sent:
        yield f"notices and their events differ: {told - sent} were told and not sent, {sent - told} not told"
    if kept := world.sql(_KEPT):
        yield f"{len(kept)} notices are kept and were never sent"
