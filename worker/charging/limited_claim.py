"""One claim of a pump run, within the charge limits: what would exceed one is stopped or held instead of claimed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from worker.charging.run_limits import RunLimits
from worker.database.engine import Sessions
from worker.domain.attempt import Attempt
from worker.domain.charge_limits import (
    STOPPED_BY_LIMIT,
    LimitCheck,
    LimitExceeded,
    SubscriptionLimitsExceeded,
    Total,
)
from worker.domain.clock import Clock
from worker.ledger import stops, subscription_holds
from worker.ledger.call_pace import count_calls, paced
from worker.ledger.claiming import claim, may_claim
from worker.ledger.queues import Wanted, waiting_queues


@dataclass(frozen=True, slots=True)
class Claimed:
    """What a claim took, and what it had asked for: less than was wanted of a PG that has a pace, for its seconds."""

    attempts: list[Attempt] = field(default_factory=list)
    asked: Mapping[str, Wanted] = field(default_factory=dict)
    waits: Mapping[str, float] = field(default_factory=dict)


def claim_within_limits(
    sessions: Sessions,
    limits: RunLimits,
    claimed: Mapping[str, Total],
    *,
    clock: Clock,
    queues: Mapping[str, Wanted] | None = None,
) -> Claimed:
    """Claim what is wanted of `queues` in one transaction; none while charging is held. `claimed` is this run's, by PG.

    Without `queues`, a chunk of each is claimed. Raises LimitExceeded after stopping the channel,
    SubscriptionLimitsExceeded after holding the subscriptions, ClaimConflict or WrongDatabase: nothing is claimed then.
    """
    check = None if limits.charge_limits is None else LimitCheck(limits.charge_limits, claimed)
    try:
        with sessions.begin() as session:
            now = may_claim(session, clock, limits.hold_policy)
            if now is None:
                return Claimed(asked=queues or {})
            if queues is None:
                queues = {queue: Wanted(limits.chunk) for queue in waiting_queues(session)}
            pace = paced(session, queues, now=now)
            attempts = claim(
                session,
                now=now,
                limit=limits.chunk,
                lease=limits.lease,
                prefix=limits.prefix,
                queues=pace.wanted,
                check=check,
            )
            count_calls(session, attempts, now=now)
            return Claimed(attempts, pace.wanted, pace.waits)
    except LimitExceeded as exceeded:
        with sessions.begin() as session:
            stops.stop(session, scope=exceeded.pg, reason=str(exceeded), stopped_by=STOPPED_BY_LIMIT, now=clock())
        raise
    except SubscriptionLimitsExceeded as exceeded:
        with sessions.begin() as session:
            subscription_holds.hold(session, exceeded.reasons, by=STOPPED_BY_LIMIT, now=clock())
        raise
