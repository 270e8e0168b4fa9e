"""A charge as its dunning calendar sees it: its terms, and its last decline."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from schedules.dunning import DunningKind
from worker.database.mapping import OF_ITS_CHARGE, retry_terms
from worker.domain.attempt import RetryTerms
from worker.domain.declines import DeclineRules, classify
from worker.domain.dunning_kinds import dunning_kind
from worker.domain.outcomes import DeclineKind
from worker.domain.states import ChargeStatus, WaitReason
from worker.ledger.blockers import OWNER

_CHARGE = text(f"""
    SELECT {OF_ITS_CHARGE}, p.code AS plan, c.status, c.next_attempt_at, c.wait_reason,
           last.settled_at AS last_declined_at, last.decline_kind, last.message, tried.pg AS tried_pg
    FROM charges c
    {OWNER}
    CROSS JOIN LATERAL (SELECT * FROM plans WHERE id = s.plan_id OFFSET 0) p
    LEFT JOIN LATERAL (
        SELECT settled_at, decline_kind, message, billing_key_id FROM attempts
        WHERE charge_id = c.id AND status = 'declined' AND decline_kind IN ('soft', 'unmatched')
        ORDER BY number DESC LIMIT 1
    ) last ON true
    LEFT JOIN LATERAL (SELECT pg FROM billing_keys WHERE id = last.billing_key_id OFFSET 0) tried ON true
    WHERE c.id = :id
""")  # noqa: S608 - constants only


@dataclass(frozen=True, slots=True, kw_only=True)
class DunnedCharge:
    """A charge, the terms of its next try, and what it was declined for last; `kind` is None for all of no kind."""

    id: int
    plan: str
    status: ChargeStatus
    next_attempt_at: datetime | None
    wait_reason: WaitReason | None
    retry: RetryTerms
    last_declined_at: datetime | None
    kind: DunningKind | None


def dunned_charge(session: Session, charge_id: int, rules: DeclineRules) -> DunnedCharge | None:
    """Return a charge as its calendar sees it, its last decline being read by the rules as they are now.

    Raises ValueError or LookupError for an unreadable plan.
    """
    row = session.execute(_CHARGE, {"id": charge_id}).one_or_none()
    if row is None:
        return None
    decline = None if row.decline_kind is None else DeclineKind(row.decline_kind)
    return DunnedCharge(
        id=row.charge_id,
        plan=row.plan,
        status=ChargeStatus(row.status),
        next_attempt_at=row.next_attempt_at,
        wait_reason=None if row.wait_reason is None else WaitReason(row.wait_reason),
        retry=retry_terms(row),
        last_declined_at=row.last_declined_at,
        kind=dunning_kind(decline, classify(rules, row.tried_pg or "", None, row.message).about),
    )
