"""One claim of a pump run, within the charge limits: what would exceed one is stopped or held instead of claimed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from worker.charging.run_limits import RunLimits
from worker.database.engine import Sessions
from worker.database.planning import plan_by_index
from worker.domain.attempt import Attempt
from worker.domain.charge_limits import (
    STOPPED_BY_LIMIT,
    LimitCheck,
    LimitExceeded,
    SubscriptionLimitsExceeded,
    Total,
)
from worker.domain.clock import Clock
from worker.ledger import queues as charge_queues
from worker.ledger import stops, subscription_holds
from worker.ledger.claiming import claim, may_claim
from worker.ledger.queues import Wanted

MOST_RELEASES = 20
"""Transactions of one run that take charges out of their queues."""


def claim_within_limits(
    sessions: Sessions,
    limits: RunLimits,
    claimed: Mapping[str, Total],
    *,
    clock: Clock,
    queues: Mapping[str, Wanted] | None = None,
) -> list[Attempt]:
    """Claim what is wanted of `queues` in one transaction; none while charging is held. `claimed` is this run's, by PG.

    Without `queues`, a chunk of each is claimed.
    Raises LimitExceeded after stopping the channel, SubscriptionLimitsExceeded after holding the subscriptions,
    ClaimConflict and WrongDatabase. Nothing is claimed then.
    """
    check = None if limits.charge_limits is None else LimitCheck(limits.charge_limits, claimed)
    try:
        with sessions.begin() as session:
            now = may_claim(session, clock, limits.hold_policy)
            if now is None:
                return []
            return claim(
                session,
                now=now,
                limit=limits.chunk,
                lease=limits.lease,
                prefix=limits.prefix,
                queues=queues,
                check=check,
            )
    except LimitExceeded as exceeded:
        with sessions.begin() as session:
            stops.stop(session, scope=exceeded.pg, reason=str(exceeded), stopped_by=STOPPED_BY_LIMIT, now=clock())
        raise
    except SubscriptionLimitsExceeded as exceeded:
        with sessions.begin() as session:
            subscription_holds.hold(session, exceeded.reasons, by=STOPPED_BY_LIMIT, now=clock())
        raise


def queue_names(sessions: Sessions) -> Sequence[str]:
    """List the queues in which charges wait."""
    with sessions() as session:
        plan_by_index(session)
        return charge_queues.waiting_queues(session)


def release_blocked(sessions: Sessions, clock: Clock) -> None:
    """Take charges that cannot be charged for long out of their queues, so that no claim looks at them again.

    At most so many that the run ends in time; the others leave with the next one.
    """
    for _ in range(MOST_RELEASES):
        with sessions.begin() as session:
            left = charge_queues.leave_queues(session, now=clock(), limit=charge_queues.LEAVE_AT_ONCE)
        if left < charge_queues.LEAVE_AT_ONCE:
            return
