"""Late payments: money that moved after our records had decided otherwise, found when a settlement is written back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from worker.domain.discrepancy_rules import DiscrepancyKind, DiscrepancyStatus
from worker.domain.settlement import Settlement
from worker.domain.states import AttemptStatus, ChargeStatus
from worker.ledger.discrepancies import NewDiscrepancy

_CURRENT_STATES = text("""
    SELECT a.merchant_uid, a.status, a.imp_uid, c.status AS charge
    FROM attempts a JOIN charges c ON c.id = a.charge_id WHERE a.merchant_uid = ANY(:merchant_uids)
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteBackRow:
    """State of an attempt and its charge before a write-back, and which of them it changed.

    Ids and states are None for a row that our records do not have.
    """

    settled: bool
    charge_written: bool
    attempt_id: int | None
    charge_id: int | None
    subscription_id: int | None
    status_before: str | None
    imp_uid_before: str | None
    was_flagged: bool
    charge_before: str | None


WrittenBack = tuple[Settlement, WriteBackRow]


def is_late_payment(settlement: Settlement, row: WriteBackRow) -> bool:
    """Return whether money moved although the charge or attempt was settled otherwise, or by another payment."""
    if settlement.attempt_status is not AttemptStatus.PAID:
        return False
    if row.settled:
        return not row.charge_written
    return row.status_before != AttemptStatus.PAID or row.imp_uid_before != settlement.answer.imp_uid


def reread_late_payments(session: Session, written: Sequence[WrittenBack]) -> list[WrittenBack]:
    """Read the rows of late payments again: a write-back that waited for another one saw the rows of before that."""
    merchant_uids = [s.attempt.request.merchant_uid for s, row in written if is_late_payment(s, row)]
    if not merchant_uids:
        return list(written)
    current = {row.merchant_uid: row for row in session.execute(_CURRENT_STATES, {"merchant_uids": merchant_uids})}
    return [(each, _updated(row, current.get(each.attempt.request.merchant_uid))) for each, row in written]


def _updated(row: WriteBackRow, current: Row[Any] | None) -> WriteBackRow:
    if current is None:
        return row
    if row.settled:  # its attempt's state now is what we have written
        return replace(row, charge_before=current.charge)
    return replace(row, status_before=current.status, imp_uid_before=current.imp_uid, charge_before=current.charge)


def discrepancy_of(settlement: Settlement, row: WriteBackRow) -> NewDiscrepancy:
    """Return the discrepancy of a late payment."""
    if row.status_before is None:
        kind, reason = DiscrepancyKind.MISSING_HERE, "our records do not have its attempt; the next sweep backfills it"
    elif row.charge_written:
        kind, reason = DiscrepancyKind.DECLINED_HERE, "its attempt was settled as declined; the next sweep corrects it"
    elif row.charge_before == ChargeStatus.VOID:
        kind, reason = DiscrepancyKind.NOT_OWED, "its charge is void"
    else:
        kind, reason = DiscrepancyKind.PAID_TWICE, "its charge was paid by another payment, or elsewhere"
    return NewDiscrepancy(
        kind=kind,
        status=DiscrepancyStatus.OPEN,
        reason=f"paid at PortOne, but {reason}",
        merchant_uid=settlement.attempt.request.merchant_uid,
        imp_uid=settlement.answer.imp_uid or "",
        charge_id=row.charge_id,
        attempt_id=row.attempt_id,
        evidence={
            "portone": settlement.answer.raw,
            "records": {"charge": row.charge_before, "attempt": row.status_before, "imp_uid": row.imp_uid_before},
        },
    )
