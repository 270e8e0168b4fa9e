"""A charge is paid elsewhere: by bank transfer, in cash, or by whatever PortOne does not see."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from worker.domain.states import ChargeStatus
from worker.ledger.charges import NOT_IN_FLIGHT

LONGEST_REFERENCE = 200
"""Characters of what says how it was paid; a CHECK of the table."""

_PAY = text(f"""
    UPDATE charges c
    SET status = 'paid', status_reason = :reason, status_at = :now, paid_at = :now, paid_elsewhere = :reference,
        next_attempt_at = NULL, wait_reason = NULL
    WHERE id = :id AND status = :expecting AND status IN ('due', 'past_due', 'uncollectible') AND {NOT_IN_FLIGHT}
    RETURNING id
""")  # noqa: S608 - constants only


def pay_elsewhere(
    session: Session, charge_id: int, *, expecting: ChargeStatus, reference: str, reason: str, now: datetime
) -> bool:
    """Make a charge paid without a payment at PortOne; False when it is not `expecting`, or is in flight.

    `reference` says how it was paid, for the accounts. Should PortOne show a payment of it after all, it was paid
    twice: that becomes a discrepancy. The caller has locked the charge by a statement of its own, and moves its
    subscription on (`settle_subscriptions`).
    """
    values = {"id": charge_id, "expecting": expecting.value, "reference": reference, "reason": reason, "now": now}
    return session.execute(_PAY, values).first() is not None
