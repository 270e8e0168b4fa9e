"""Records what an operator decides. Every write is guarded: of two concurrent decisions, one wins."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from worker.database.audit_reason import give_reason

_MARK_RESOLVED = text("""
    UPDATE discrepancies SET status = 'resolved', status_reason = :reason, status_at = :now, decided_by = :by
    WHERE id = :id AND status = 'open'
    RETURNING id
""")

# The same refund may be repeated; another one waits until this one can no longer be in progress.
_RECORD_REFUND_START = text("""
    UPDATE discrepancies d
    SET evidence = d.evidence
        || jsonb_build_object('refund', jsonb_build_object(
            'imp_uid', CAST(:imp_uid AS text), 'by', CAST(:by AS text), 'at', CAST(:now AS timestamptz)))
    WHERE d.id = :id AND d.status = 'open' AND (
        d.evidence #> '{refund}' IS NULL OR d.evidence #>> '{refund,imp_uid}' = :imp_uid
        OR (d.evidence #>> '{refund,at}')::timestamptz <= :over_since)
    RETURNING d.id
""")

_FORGET_REFUND_START = text("""
    UPDATE discrepancies SET evidence = evidence - 'refund'
    WHERE id = :id AND evidence #>> '{refund,imp_uid}' = :imp_uid
""")


def mark_resolved(session: Session, discrepancy_id: int, *, reason: str, by: str, now: datetime) -> bool:
    """Resolve an open discrepancy; False when another process was faster."""
    wanted = {"id": discrepancy_id, "reason": reason, "by": by, "now": now}
    return session.execute(_MARK_RESOLVED, wanted).first() is not None


def record_refund_start(
    session: Session, discrepancy_id: int, *, imp_uid: str, reason: str, by: str, now: datetime, over_since: datetime
) -> bool:
    """Record that a refund is about to be requested; False when another one may be in progress.

    One that was started at `over_since` or before is over. A trigger writes `reason` into the audit.
    """
    give_reason(session, reason, now=now)
    wanted = {"id": discrepancy_id, "imp_uid": imp_uid, "by": by, "now": now, "over_since": over_since}
    return session.execute(_RECORD_REFUND_START, wanted).first() is not None


def forget_refund_start(session: Session, discrepancy_id: int, *, imp_uid: str) -> None:
    """Remove the record of a started refund: PortOne refunded nothing."""
    session.execute(_FORGET_REFUND_START, {"id": discrepancy_id, "imp_uid": imp_uid})
