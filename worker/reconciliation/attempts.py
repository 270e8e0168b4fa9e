"""Attempt reconciliation: looks up attempts that are unknown or were started and never settled, and settles them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy.orm import Session

from worker.config import tracing
from worker.database.clock import read
from worker.database.engine import Sessions
from worker.domain.attempt import Attempt
from worker.domain.clock import Clock, elapsed_seconds
from worker.domain.gateway import Found, Gateway, LookUpFailed
from worker.domain.lookup_evidence import outcome_of_lookup
from worker.domain.retry_policy import RetryPolicy
from worker.domain.settlement import settle
from worker.domain.states import AttemptStatus
from worker.ledger import lookup_queue
from worker.ledger.charging_hold import charging_is_allowed
from worker.ledger.database_identity import HoldPolicy
from worker.ledger.write_back import write_back

CHUNK = 100
"""Attempts that are looked up at once."""

LOOKUP_LEASE = timedelta(minutes=2)
"""Longer than any look-up takes. Should this process die, its look-ups are due again after that."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What one run found out; flower shows it as the task's result."""

    abandoned: int
    looked_up: int
    paid: int
    declined: int
    not_charged: int
    still_unknown: int
    seconds: float

    def summary(self) -> dict[str, object]:
        return asdict(self)


async def reconcile(
    sessions: Sessions,
    gateway: Gateway,
    *,
    clock: Clock,
    policy: RetryPolicy,
    budget: timedelta,
    stopping: Callable[[], bool],
    hold_policy: HoldPolicy | None = None,
    monotonic: Callable[[], float] = elapsed_seconds,
) -> Reconciled:
    """Look up every attempt whose turn it is, and settle what became clear; the rest waits for its next look-up.

    `hold_policy` detects here too that the database's clock was set: that ends no quiet period.
    """
    started = monotonic()
    counts: Counter[str] = Counter()
    counts["abandoned"] = await asyncio.to_thread(_abandon, sessions, clock, hold_policy)
    while not stopping() and monotonic() - started < budget.total_seconds():
        taken_at, attempts = await asyncio.to_thread(_take, sessions, clock, hold_policy)
        if not attempts:
            break
        counts.update(await _look_up_and_settle(sessions, gateway, attempts, taken_at, clock, policy))
    reconciled = Reconciled(
        abandoned=counts["abandoned"],
        looked_up=counts["looked_up"],
        paid=counts[AttemptStatus.PAID],
        declined=counts[AttemptStatus.DECLINED],
        not_charged=counts[AttemptStatus.NOT_CHARGED],
        still_unknown=counts[AttemptStatus.UNKNOWN],
        seconds=round(monotonic() - started, 3),
    )
    if reconciled.looked_up or reconciled.abandoned:
        log.info("reconciliation ended", **reconciled.summary())
    return reconciled


async def _look_up_and_settle(
    sessions: Sessions,
    gateway: Gateway,
    attempts: list[Attempt],
    taken_at: datetime,
    clock: Clock,
    policy: RetryPolicy,
) -> Counter[str]:
    # Evidence is as old as its question: a look-up of before the quiet period's end proves nothing after it either,
    # however long this process slept in between. So it counts as asked when the database gave the attempts out.
    findings = await asyncio.gather(*(_look_up(gateway, attempt.request.merchant_uid) for attempt in attempts))
    now = clock()
    settlements = []
    for attempt, finding in zip(attempts, findings, strict=True):
        outcome = outcome_of_lookup(
            attempt, finding, now=taken_at, quiet_period=policy.quiet_period, rules=policy.rules
        )
        settlements.append(settle(attempt, outcome, now=now, policy=policy))
    with tracing.span("write back", {"attempts": len(attempts)}):
        await asyncio.to_thread(write_back, sessions, settlements, now=now)
    return Counter({"looked_up": len(attempts)}) + Counter(each.attempt_status.value for each in settlements)


async def _look_up(gateway: Gateway, merchant_uid: str) -> Found | LookUpFailed:
    with tracing.span("look up", {"merchant_uid": merchant_uid}):
        return await gateway.look_up(merchant_uid)


def _abandon(sessions: Sessions, clock: Clock, hold_policy: HoldPolicy | None) -> int:
    abandoned = 0
    while True:
        with sessions.begin() as session:
            found = lookup_queue.expire_leases(session, now=_now(session, clock, hold_policy), limit=CHUNK)
        abandoned += found
        if found < CHUNK:
            return abandoned


def _take(sessions: Sessions, clock: Clock, hold_policy: HoldPolicy | None) -> tuple[datetime, list[Attempt]]:
    with sessions.begin() as session:
        now = _now(session, clock, hold_policy)
        return now, lookup_queue.lease_due(session, now=now, limit=CHUNK, lease=LOOKUP_LEASE)


def _now(session: Session, clock: Clock, hold_policy: HoldPolicy | None) -> datetime:
    """Return the database's time, after the restore guard has checked whether its clock was set."""
    now = read(session, clock)
    if hold_policy is not None:
        charging_is_allowed(session, hold_policy, now=clock)
    return now
