"""Carries out a refund: counted first, requested with its checksum, believed when PortOne shows it.

Everything that asks PortOne for a refund does it here: a change, a review, and the tick that goes on after a crash.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta

import structlog

from worker.database.engine import Sessions
from worker.domain.clock import Clock
from worker.domain.discrepancy_rules import refunded
from worker.domain.errors import Refused
from worker.domain.gateway import Gateway, LookUpFailed, PaymentRecord
from worker.domain.refund_settlement import OpenRefund, RefundSettlement, settle_answer, settle_look_up, settle_unsent
from worker.domain.refunds import OPEN_REFUNDS, RefundStatus
from worker.domain.retry_policy import RetryPolicy
from worker.ledger import refunds

REFUND_LEASE = timedelta(minutes=5)
"""Longer than a request with its look-up takes. Should this process die, the refund is looked up after that."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class RefundContext:
    """What refunds work with."""

    sessions: Sessions
    gateway: Gateway
    clock: Clock
    policy: RetryPolicy


@dataclass(frozen=True, slots=True)
class CarriedOut:
    """What became of a refund for now; `shown` is its payment as PortOne shows it, if it was asked and answered."""

    settlement: RefundSettlement
    shown: PaymentRecord | None = None


async def send(context: RefundContext, known: OpenRefund) -> CarriedOut | None:
    """Request a refund once, and settle it by what PortOne shows then.

    None when another process sends it or has settled it: this one has sent nothing, or its answer is not needed.
    """
    counted = await asyncio.to_thread(_count_send, context, known)
    if counted is None:
        return None
    answer = await context.gateway.refund(counted.refund)
    is_shown = isinstance(answer, PaymentRecord) and answer.imp_uid == counted.refund.imp_uid
    shown = answer if is_shown and isinstance(answer, PaymentRecord) else _record(await _look_up(context, counted))
    settlement = settle_answer(counted, answer, shown, now=context.clock(), policy=context.policy)
    is_written = await asyncio.to_thread(_settle, context, counted, settlement)
    return CarriedOut(settlement, shown) if is_written else None


async def go_on(context: RefundContext, known: OpenRefund) -> CarriedOut | None:
    """Take an open refund one step further: look it up if it was sent, and send it where that proves it not done."""
    asked_at, finding = context.clock(), None
    if known.sends:
        finding = await _look_up(context, known)
        settlement = settle_look_up(known, finding, asked_at=asked_at, policy=context.policy)
    else:
        settlement = settle_unsent(known)
    if settlement.send:
        return await send(context, known)
    is_written = await asyncio.to_thread(_settle, context, known, settlement)
    return CarriedOut(settlement, _record(finding)) if is_written else None


async def settle_by_hand(
    context: RefundContext, known: OpenRefund, *, completed: bool, reason: str
) -> RefundSettlement:
    """Settle a refund that waits for an operator; what PortOne shows counts more than what they say.

    Raises Refused for one that is still looked up by itself, and when another process was faster.
    """
    if not known.is_flagged:
        raise Refused(
            f"Refund {known.id} is looked up by itself; only one that waits for an operator is settled by hand."
        )
    finding = await _look_up(context, known)
    shown = _record(finding)
    seen = settle_look_up(known, finding, asked_at=context.clock(), policy=context.policy)
    settlement = RefundSettlement(
        status=RefundStatus.COMPLETED if completed else RefundStatus.REFUSED,
        reason=f"settled by hand: {reason}",
        refunded=None if shown is None else refunded(shown),
    )
    if seen.status not in OPEN_REFUNDS:
        settlement = seen
    if not await asyncio.to_thread(_settle, context, known, settlement):
        raise Refused(f"Refund {known.id} was settled by another process meanwhile.")
    return settlement


def _count_send(context: RefundContext, known: OpenRefund) -> OpenRefund | None:
    with context.sessions.begin() as session:
        return refunds.start_send(session, known, now=context.clock(), lease=REFUND_LEASE)


def _settle(context: RefundContext, known: OpenRefund, settlement: RefundSettlement) -> bool:
    with context.sessions.begin() as session:
        is_written = refunds.settle(session, known, settlement, now=context.clock())
    if is_written:
        said = log.warning if settlement.flagged else log.info
        said("refund settled", refund_id=known.id, status=settlement.status.value, reason=settlement.reason)
    return is_written


async def _look_up(context: RefundContext, known: OpenRefund) -> PaymentRecord | LookUpFailed | None:
    found = await context.gateway.payment(known.refund.imp_uid)
    return found if isinstance(found, LookUpFailed) else next(iter(found.records), None)


def _record(finding: PaymentRecord | LookUpFailed | None) -> PaymentRecord | None:
    return finding if isinstance(finding, PaymentRecord) else None
