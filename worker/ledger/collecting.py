"""A charge is collected now, or on a later date: one that waits, and for the former also one that was given up."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from worker.domain.states import ChargeStatus
from worker.ledger.charges import NOT_IN_FLIGHT
from worker.ledger.consents import NOT_AGREED
from worker.ledger.subscription_status import mark_past_due

# What was never declined is due again, and no dunning: it has used up none of its calendar. What no claim may take is
# left as it is, so that nothing is called collected that waits for something else.
_COLLECT = text(f"""
    UPDATE charges c
    SET status = CASE WHEN c.status = 'uncollectible' AND c.declines = 0 THEN 'due'
                      WHEN c.status = 'uncollectible' THEN 'past_due' ELSE c.status END,
        status_reason = CASE WHEN c.status = 'uncollectible' THEN :reason ELSE c.status_reason END,
        status_at = CASE WHEN c.status = 'uncollectible' THEN CAST(:now AS timestamptz) ELSE c.status_at END,
        next_attempt_at = :now, queue = k.pg, written_off_at = NULL,
        wait_reason = CASE WHEN c.wait_reason <> 'postponed' THEN c.wait_reason END
    FROM subscriptions s JOIN billing_keys k ON k.id = s.billing_key_id
    WHERE c.id = :id AND s.id = c.subscription_id AND c.status = :expecting
      AND c.status IN ('due', 'past_due', 'uncollectible')
      AND s.status IN ('trialing', 'active', 'past_due') AND k.status = 'active' AND c.awaits_consent_since IS NULL
      AND c.gate_held_since IS NULL
      AND (c.next_attempt_at IS NULL OR c.next_attempt_at > :now) AND {NOT_IN_FLIGHT} AND NOT {NOT_AGREED}
    RETURNING c.status, c.subscription_id
""")  # noqa: S608 - constants only

_POSTPONE = text("""
    UPDATE charges SET next_attempt_at = :until, wait_reason = 'postponed'
    WHERE id = :id AND status IN ('due', 'past_due') AND next_attempt_at < :until
    RETURNING id
""")


def collect_now(
    session: Session, charge_id: int, *, expecting: ChargeStatus, reason: str, now: datetime
) -> ChargeStatus | None:
    """Make a charge due at once, and return its status; None when that cannot be, and nothing was changed.

    It can be when the charge is `expecting`, which is `due`, `past_due` or `uncollectible`, waits for its time only or
    was given up, and its subscription is billed by an active key to which the customer has agreed for it, too. The
    caller has locked it by a statement of its own.
    """
    values = {"id": charge_id, "expecting": expecting.value, "reason": reason, "now": now}
    row = session.execute(_COLLECT, values).one_or_none()
    if row is None:
        return None
    if row.status == ChargeStatus.PAST_DUE:
        mark_past_due(session, [row.subscription_id], reason=reason, now=now)
    return ChargeStatus(row.status)


def postpone(session: Session, charge_id: int, *, until: datetime) -> bool:
    """Let a charge that waits for a time wait for a later one; False when it does not, or was to wait longer already.

    What waits for another billing key has no time to be moved.
    """
    return session.execute(_POSTPONE, {"id": charge_id, "until": until}).first() is not None
