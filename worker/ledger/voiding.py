"""A charge becomes void: it is not owed. The one UPDATE that does it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from worker.domain.states import CLAIMABLE_CHARGES, UNSETTLED_CHARGES, ChargeStatus
from worker.ledger import adjustments
from worker.ledger.charges import NOT_IN_FLIGHT

# IS TRUE hides the statuses: the index of all open charges is not read from end to end for a few ids.
_VOID = text(f"""
    UPDATE charges c SET status = 'void', status_reason = :reason, status_at = :now, next_attempt_at = NULL,
        wait_reason = NULL
    WHERE id = ANY(:ids) AND (status = ANY(:expecting)) IS TRUE AND {NOT_IN_FLIGHT}
    RETURNING id, subscription_id
""")  # noqa: S608 - constants only


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

    A charge in flight or paid is never void: its own outcome decides. One that was given up becomes void only where
    `expecting` names it; the caller has locked it by a statement of its own, as a payment window may be opening for it.
    What a void charge had used of credits, discounts and one-off items is there for the next one, and what was paid for
    its days before, by a charge that was cut, is credited.
    """
    statuses = UNSETTLED_CHARGES & frozenset(expecting)
    if not charge_ids or not statuses:
        return []
    values = {
        "ids": sorted(charge_ids),
        "expecting": sorted(each.value for each in statuses),
        "reason": reason,
        "now": now,
    }
    voided = [VoidedCharge(**row._mapping) for row in session.execute(_VOID, values)]  # noqa: SLF001 - public, despite its name
    adjustments.restore(session, [each.id for each in voided], now=now)
    return voided
