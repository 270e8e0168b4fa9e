"""A charge becomes void: it is not owed. The one UPDATE that does it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from worker.domain.states import CLAIMABLE_CHARGES, ChargeStatus

_VOID = text("""
    UPDATE charges SET status = 'void', status_reason = :reason, status_at = :now, next_attempt_at = NULL,
        wait_reason = NULL
    WHERE id = ANY(:ids) AND status = ANY(:expecting)
    RETURNING id, subscription_id
""")


@dataclass(frozen=True, slots=True)
class VoidedCharge:
    """A charge that has just become void."""

    id: int
    subscription_id: int


def void(
    session: Session,
    charge_ids: Collection[int],
    *,
    expecting: Collection[ChargeStatus] = CLAIMABLE_CHARGES,
    reason: str,
    now: datetime,
) -> Sequence[VoidedCharge]:
    """Make charges void that are in one of the expected statuses, and return those; the others stay as they are.

    A charge in flight, one that was paid and one that was given up are never void: their own outcome decides.
    """
    statuses = CLAIMABLE_CHARGES & frozenset(expecting)
    if not charge_ids or not statuses:
        return []
    values = {
        "ids": sorted(charge_ids),
        "expecting": sorted(each.value for each in statuses),
        "reason": reason,
        "now": now,
    }
    return [VoidedCharge(**row._mapping) for row in session.execute(_VOID, values)]  # noqa: SLF001 - public, despite its name
