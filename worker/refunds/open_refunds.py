"""The tick of refunds: goes on with each that a crash, a lost answer or an outage has left open."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta

import structlog

from worker.database.clock import read
from worker.domain.clock import elapsed_seconds
from worker.domain.refund_settlement import OpenRefund
from worker.domain.refunds import OPEN_REFUNDS, RefundStatus
from worker.ledger import refunds
from worker.refunds.carry_out import REFUND_LEASE, RefundContext, go_on

CHUNK = 20
"""Refunds that are asked about at once."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class RefundsGoneOn:
    """What one run has done; flower shows it as the task's result."""

    tried: int
    completed: int
    refused: int
    open: int
    seconds: float

    def summary(self) -> dict[str, object]:
        return asdict(self)


async def go_on_with_refunds(
    context: RefundContext,
    *,
    budget: timedelta,
    stopping: Callable[[], bool],
    monotonic: Callable[[], float] = elapsed_seconds,
) -> RefundsGoneOn:
    """Look up or send every open refund whose next try is due; safe to run twice at once, and to be lost."""
    started, counts = monotonic(), Counter[str]()
    while not stopping() and monotonic() - started < budget.total_seconds():
        taken = await asyncio.to_thread(_take, context)
        if not taken:
            break
        steps = await asyncio.gather(*(go_on(context, each) for each in taken))
        counts["tried"] += len(taken)
        counts.update(step.settlement.status.value for step in steps if step is not None)
    result = RefundsGoneOn(
        tried=counts["tried"],
        completed=counts[RefundStatus.COMPLETED],
        refused=counts[RefundStatus.REFUSED],
        open=sum(counts[each] for each in OPEN_REFUNDS),
        seconds=round(monotonic() - started, 3),
    )
    if result.tried:
        log.info("refunds gone on with", **result.summary())
    return result


def _take(context: RefundContext) -> Sequence[OpenRefund]:
    with context.sessions.begin() as session:
        return refunds.take_due(session, now=read(session, context.clock), limit=CHUNK, lease=REFUND_LEASE)
