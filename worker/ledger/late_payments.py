"""Money that moved where the books had decided otherwise: found when a settlement is written back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from worker.domain.discrepancy_rules import DiscrepancyKind, DiscrepancyStatus
from worker.domain.settlement import Settlement
from worker.domain.states import AttemptStatus, ChargeStatus
from worker.ledger.discrepancies import Noted

_AS_THEY_ARE = text("""
    SELECT a.merchant_uid, a.status, a.imp_uid, c.status AS charge
    FROM attempts a JOIN charges c ON c.id = a.charge_id WHERE a.merchant_uid = ANY(:merchant_uids)
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What the tables had about a settlement's attempt and charge, and what was written; None for what is not there."""

    settled: bool
    charge_written: bool
    attempt_id: int | None
    charge_id: int | None
    subscription_id: int | None
    status_before: str | None
    imp_uid_before: str | None
    was_flagged: bool
    charge_before: str | None


Decided = tuple[Settlement, Fate]


def contradicts(settlement: Settlement, fate: Fate) -> bool:
    """Say whether money moved and the books had decided otherwise: on the charge or attempt, or by another payment."""
    if settlement.attempt_status is not AttemptStatus.PAID:
        return False
    if fate.settled:
        return not fate.charge_written
    return fate.status_before != AttemptStatus.PAID or fate.imp_uid_before != settlement.answer.imp_uid


def as_they_are(session: Session, decided: Sequence[Decided]) -> list[Decided]:
    """Look again at what seems to contradict: a write-back that had to wait for another saw the rows of before that."""
    merchant_uids = [s.attempt.request.merchant_uid for s, fate in decided if contradicts(s, fate)]
    if not merchant_uids:
        return list(decided)
    rows = {row.merchant_uid: row for row in session.execute(_AS_THEY_ARE, {"merchant_uids": merchant_uids})}
    return [(each, _as_it_is(fate, rows.get(each.attempt.request.merchant_uid))) for each, fate in decided]


def _as_it_is(fate: Fate, row: Row[Any] | None) -> Fate:
    if row is None:
        return fate
    if fate.settled:  # what its attempt is now, we have written
        return replace(fate, charge_before=row.charge)
    return replace(fate, status_before=row.status, imp_uid_before=row.imp_uid, charge_before=row.charge)


def discrepancy(settlement: Settlement, fate: Fate) -> Noted:
    """Make the discrepancy of a contradiction."""
    if fate.status_before is None:
        kind, said = DiscrepancyKind.MISSING_HERE, "these books do not have its attempt; the next sweep adopts it"
    elif fate.charge_written:
        kind, said = DiscrepancyKind.DECLINED_HERE, "its attempt was settled as declined; the next sweep corrects it"
    elif fate.charge_before == ChargeStatus.VOID:
        kind, said = DiscrepancyKind.NOT_OWED, "its charge is void"
    else:
        kind, said = DiscrepancyKind.PAID_TWICE, "its charge was paid by another payment"
    return Noted(
        kind=kind,
        status=DiscrepancyStatus.OPEN,
        said=f"paid at PortOne, but {said}",
        merchant_uid=settlement.attempt.request.merchant_uid,
        imp_uid=settlement.answer.imp_uid or "",
        charge_id=fate.charge_id,
        attempt_id=fate.attempt_id,
        evidence={
            "portone": settlement.answer.raw,
            "records": {"charge": fate.charge_before, "attempt": fate.status_before, "imp_uid": fate.imp_uid_before},
        },
    )
