"""Writing what an operator decides. Every write is guarded: of two decisions at once, one wins."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from worker.database.audit_reason import give_reason

_DECIDE = text("""
    UPDATE discrepancies SET status = 'resolved', status_reason = :said, status_at = :now, decided_by = :by
    WHERE id = :id AND status = 'open'
    RETURNING id
""")

# The same refund may be repeated; another one waits until this one can no longer be under way.
_BEGIN_REFUND = text("""
    UPDATE discrepancies d
    SET evidence = d.evidence
        || jsonb_build_object('refund', jsonb_build_object(
            'imp_uid', CAST(:imp_uid AS text), 'by', CAST(:by AS text), 'at', CAST(:now AS timestamptz)))
    WHERE d.id = :id AND d.status = 'open' AND (
        d.evidence #> '{refund}' IS NULL OR d.evidence #>> '{refund,imp_uid}' = :imp_uid
        OR (d.evidence #>> '{refund,at}')::timestamptz <= :over_since)
    RETURNING d.id
""")

_REFUND_REFUSED = text("""
    UPDATE discrepancies SET evidence = evidence - 'refund'
    WHERE id = :id AND evidence #>> '{refund,imp_uid}' = :imp_uid
""")


def decide(session: Session, discrepancy_id: int, *, said: str, by: str, now: datetime) -> bool:
    """Resolve an open discrepancy; False when somebody else was faster."""
    wanted = {"id": discrepancy_id, "said": said, "by": by, "now": now}
    return session.execute(_DECIDE, wanted).first() is not None


def begin_refund(
    session: Session, discrepancy_id: int, *, imp_uid: str, said: str, by: str, now: datetime, over_since: datetime
) -> bool:
    """Write down that a refund is about to be asked for; False when another one may be under way.

    One that was begun at `over_since` or before is over. A trigger writes `said` into the audit.
    """
    give_reason(session, said, now=now)
    wanted = {"id": discrepancy_id, "imp_uid": imp_uid, "by": by, "now": now, "over_since": over_since}
    return session.execute(_BEGIN_REFUND, wanted).first() is not None


def refund_refused(session: Session, discrepancy_id: int, *, imp_uid: str) -> None:
    """Forget that a refund was begun: PortOne gave nothing back."""
    session.execute(_REFUND_REFUSED, {"id": discrepancy_id, "imp_uid": imp_uid})
