"""A charge is written off: it stays owed, and nothing is tried any more to collect it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from worker.domain.states import CLAIMABLE_CHARGES, ChargeStatus
from worker.ledger.charges import NOT_IN_FLIGHT

_WRITE_OFF = text(f"""
    UPDATE charges c
    SET status = 'uncollectible', status_reason = :reason, status_at = :now, next_attempt_at = NULL, wait_reason = NULL,
        written_off_at = :now
    WHERE id = ANY(:ids) AND status = ANY(:expecting) AND {NOT_IN_FLIGHT}
    RETURNING id
""")  # noqa: S608 - constants only


def write_off(
    session: Session,
    charge_ids: Collection[int],
    *,
    expecting: Collection[ChargeStatus] = CLAIMABLE_CHARGES,
    reason: str,
    now: datetime,
) -> Sequence[int]:
    """Write off charges that are in one of the expected statuses, and return their ids; the others stay as they are.

    A charge in flight is never written off: its own outcome decides. The subscription is the caller's to move on
    (`settle_subscriptions`).
    """
    statuses = CLAIMABLE_CHARGES & frozenset(expecting)
    values = {"ids": sorted(charge_ids), "expecting": sorted(statuses), "reason": reason, "now": now}
    return session.scalars(_WRITE_OFF, values).all()
