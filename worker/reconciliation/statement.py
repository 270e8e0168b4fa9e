"""Statement reconciliation: compares every payment that PortOne has with our records, time slice by time slice.

It finds what looking up single attempts cannot: payments that our records have lost or never had, declines that were
payments, refunds made elsewhere, and periods paid twice. What PortOne's evidence leaves no choice about is written into
our records; the rest becomes a discrepancy that waits for an operator. It charges nothing and refunds nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import timedelta

import structlog

from worker.database.engine import Sessions
from worker.domain.clock import Clock, elapsed_seconds
from worker.domain.gateway import Gateway
from worker.reconciliation.slice_walk import NOT_READ, SliceWalk, StatementPolicy, TimeBudget, WalkContext
from worker.reconciliation.sweep_lease import SweepLeases

BACK_OFF = timedelta(minutes=1)
"""How long a sweep whose list could not be read is left alone: the list of another may be readable."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class StatementRun:
    """What one run did; flower shows it as the task's result."""

    sweep: int | None
    reason: str
    position: str
    finished: bool
    payments: int
    not_ours: int
    repaired: int
    found: int
    ended: str
    failure: str = ""  # why the last list that was asked for could not be read

    def summary(self) -> dict[str, object]:
        return asdict(self)


NOTHING_DUE = StatementRun(
    None, "", "", finished=False, payments=0, not_ours=0, repaired=0, found=0, ended="nothing due"
)


async def reconcile_statement(
    sessions: Sessions,
    gateway: Gateway,
    *,
    clock: Clock,
    policy: StatementPolicy,
    budget: timedelta,
    stopping: Callable[[], bool],
    only: int | None = None,
    monotonic: Callable[[], float] = elapsed_seconds,
) -> StatementRun:
    """Continue the sweep that is in progress, or start the daily one when it is due; or continue the `only` one."""
    leases = SweepLeases(sessions, clock)
    sweep = await asyncio.to_thread(leases.take, every=policy.every, span=policy.span, only=only)
    if sweep is None:
        return NOTHING_DUE
    time_budget = TimeBudget(stopping, monotonic, ends=monotonic() + budget.total_seconds())
    context = WalkContext(sessions, gateway, clock, policy)
    run = SliceWalk(context, sweep, time_budget, urgent=sweep.holds_claims and only is None)
    ended = NOT_READ
    try:
        async with leases.kept(sweep):
            ended = await run.walk()
    finally:
        # A command that follows one sweep waits for that one, and everything waits for the end of a hold.
        is_waited_for = only is not None or sweep.holds_claims
        back_off = BACK_OFF if ended == NOT_READ and not is_waited_for else timedelta(0)
        await asyncio.to_thread(leases.release, sweep, back_off=back_off, failure=run.failure)
    result = StatementRun(
        sweep.id,
        sweep.reason,
        run.slices.position.isoformat(),
        finished=run.finished,
        ended=ended,
        failure=run.failure,
        **asdict(run.counts),
    )
    if run.finished or result.repaired or result.found:
        log.info("statement compared", **result.summary())
    return result
