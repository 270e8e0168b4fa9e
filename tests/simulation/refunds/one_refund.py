"""One refund from its request to its end: stopped at every commit, and at every stage of each request to PortOne."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import Engine

from tests.simulation.engine.database import emptied
from tests.simulation.engine.faults import Plan, Point, nothing
from tests.simulation.engine.verdict import Violation
from tests.simulation.engine.worker_process import WorkerProcess
from tests.simulation.engine.world import World
from worker.domain.gateway import Refund
from worker.domain.refund_settlement import OpenRefund
from worker.ledger import refunds
from worker.ledger.refunds import NewRefund
from worker.refunds.carry_out import REFUND_LEASE, send
from worker.sandbox.rules.behaviours import Behaviour, pay
from worker.sandbox.store import cancel_story, payment_rows

PRICE, WANTED = 9900, 3000
AT_MOST = timedelta(days=9).total_seconds()
RESTART_SECONDS = 5.0

_ROWS = "SELECT status, flagged_at IS NOT NULL AS flagged, next_try_at, reference, sends FROM refunds ORDER BY id"
_CHARGE = """
    SELECT c.id, c.refunded, a.imp_uid, a.merchant_uid
    FROM charges c JOIN attempts a ON a.charge_id = c.id WHERE c.status = 'paid'
"""


class Asker(WorkerProcess):
    """A worker that also asks for the refund, as a command does: recorded, committed, sent."""

    def does(self) -> Mapping[str, Callable[[], Awaitable[None]]]:
        return {**super().does(), "ask": self._ask}

    async def _ask(self) -> None:
        known = await asyncio.to_thread(self.record)
        if known is not None:
            await send(self.refund_context(), known)

    def record(self) -> OpenRefund | None:
        """Record the refund, once: the second request has the same idempotency key."""
        if self.world.sql(_ROWS):
            return None
        with self.world.sessions.begin() as session:
            return refunds.record(session, self.wanted(), now=self.clock(), lease=REFUND_LEASE)

    def wanted(self) -> NewRefund:
        (charge,) = self.world.sql(_CHARGE)
        refund = Refund(
            imp_uid=charge.imp_uid,
            amount=WANTED,
            checksum=PRICE,
            tax_free=0,
            pg="kakaopay",
            reason="asked for",
            reference="again-1",
        )
        return NewRefund(
            refund=refund, merchant_uid=charge.merchant_uid, currency="KRW", paid=PRICE, charge_id=charge.id
        )


@dataclass(frozen=True)
class RefundHistory:
    """The parameters of one history: how PortOne's cancels go, call by call, and what strikes where."""

    story: Sequence[Behaviour]
    plan: Plan = nothing
    worker_class: type[Asker] = Asker
    expected: frozenset[str] = field(default=frozenset({"completed"}))  # how it may end


def tell(engine: Engine, history: RefundHistory) -> Sequence[Point]:
    """Run a history and check it, and return its points; raises Violation."""
    with emptied(engine):
        world = World(engine, nothing)
        try:
            world.worker_class = history.worker_class
            _pay_a_period(world)
            cancel_story.set_story(world.sandbox.ledger, history.story)
            world.points.clear()
            world.plan = history.plan
            _live(world)
            problems = [*_problems(world, history)]
            if problems:
                raise Violation("\n".join([*problems, *world.struck, *world.failed_ticks]))
            return world.points
        finally:
            world.close()


def _pay_a_period(world: World) -> None:
    world.subscribe(pay())
    world.start_worker().tick("open", "charge")
    world.run_until_idle(until=world.time + 3600)
    assert len(world.sql(_CHARGE)) == 1


def _live(world: World) -> None:
    """Ask until it is recorded, then tick whenever its next try is due, until it has ended."""
    patience = 1.0
    while world.time < AT_MOST and not _is_over(world):
        if not world.living() or all(worker.frozen for worker in world.living()):
            world.start_worker()
        kind = "refunds" if world.sql(_ROWS) else "ask"
        for worker in world.living():
            if not worker.frozen:
                worker.tick(kind)
        world.run_until_idle(until=world.time + 3600)
        if not _is_over(world):
            due = [world.since_start(row.next_try_at) for row in world.sql(_ROWS) if row.next_try_at is not None]
            coming = max(min(due, default=world.time), world.time)
            # What was due and still is, is so by a clock that is ahead: wait.
            patience = 1.0 if coming > world.time else 2 * patience
            world.run(until=coming + (RESTART_SECONDS if not world.living() else patience))
    world.run(until=world.time + 4 * 3600)  # what is still on its way arrives


def _is_over(world: World) -> bool:
    rows = world.sql(_ROWS)
    return bool(rows) and all(row.status in ("completed", "refused") or row.flagged for row in rows)


def _problems(world: World, history: RefundHistory) -> Iterator[str]:
    (charge,) = world.sql(_CHARGE)
    rows = world.sql(_ROWS)
    if len(rows) != 1:
        yield f"recorded {len(rows)} times"
        return
    ended = "flagged" if rows[0].flagged else rows[0].status
    if ended not in history.expected:
        yield f"ended as {ended}, not {sorted(history.expected)}"
    really = PRICE - payment_rows.kept(world.sandbox.ledger, charge.imp_uid)
    if really != (WANTED if ended == "completed" else 0):
        yield f"{ended}, and {really} KRW were refunded"
    if charge.refunded != (WANTED if ended == "completed" else 0):
        yield f"{ended}, and the charge says {charge.refunded}"
    yield from (f"{worker.name}: {trouble}" for worker in world.workers for trouble in worker.loop.troubles)
