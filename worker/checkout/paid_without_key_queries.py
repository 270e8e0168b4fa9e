"""SQL of first periods that are paid although their subscription has no billing key, and so has not started."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from worker.domain.discrepancy_rules import MEANINGS, DiscrepancyKind, DiscrepancyStatus
from worker.ledger import discrepancies
from worker.ledger.archive import answer_of
from worker.ledger.discrepancies import NewDiscrepancy

KEY_GRACE_PERIOD = timedelta(hours=1)
"""How long a payment may be known before its key is; an open window has all the time it needs."""

# It starts from what is rare: subscriptions that wait for a key.
_WITHOUT_KEY = text("""
    SELECT c.id
    FROM subscriptions s JOIN charges c ON c.subscription_id = s.id
    WHERE s.status = 'pending' AND c.status = 'paid' AND c.refunded < c.amount
    LIMIT :limit
""")

_FOUND = text(f"""
    SELECT a.id AS attempt_id, c.id AS charge_id, a.merchant_uid, a.imp_uid, {answer_of("a")} AS raw, s.code
    FROM charges c JOIN subscriptions s ON s.id = c.subscription_id JOIN attempts a ON a.charge_id = c.id
    WHERE c.id = ANY(:ids) AND a.status = 'paid' AND a.settled_at < :before
      AND NOT EXISTS (
        SELECT FROM window_orders o JOIN checkouts k ON k.id = o.checkout_id
        WHERE k.subscription_id = s.id AND k.status = 'opened' AND k.window_until > :before)
      AND NOT EXISTS (
        SELECT FROM discrepancies d WHERE d.kind = 'not_begun' AND d.merchant_uid = a.merchant_uid)
""")  # noqa: S608 - constants only

_CLOSE = text("""
    UPDATE discrepancies d SET status = 'gone', status_reason = 'its billing key was registered', status_at = :now
    FROM charges c
    WHERE c.subscription_id = :id AND d.charge_id = c.id AND d.kind = 'not_begun' AND d.status = 'open'
""")


def charges_without_key(session: Session, *, limit: int) -> Sequence[int]:
    """Return the ids of paid first charges whose subscription waits for its key."""
    return session.scalars(_WITHOUT_KEY, {"limit": limit}).all()


def record_discrepancies(session: Session, charge_ids: Sequence[int], *, now: datetime) -> int:
    """Ask an operator about each charge whose subscription no window can start any more; returns how many are new."""
    kind = DiscrepancyKind.NOT_BEGUN
    noted = [
        NewDiscrepancy(
            kind=kind,
            status=DiscrepancyStatus.OPEN,
            reason=MEANINGS[kind],
            merchant_uid=row.merchant_uid,
            imp_uid=row.imp_uid or "",
            charge_id=row.charge_id,
            attempt_id=row.attempt_id,
            evidence={"portone": row.raw, "records": {"subscription": row.code, "status": "pending"}},
        )
        for row in session.execute(_FOUND, {"ids": list(charge_ids), "before": now - KEY_GRACE_PERIOD})
    ]
    return discrepancies.record(session, noted, now=now)


def close_discrepancies(session: Session, subscription_id: int, *, now: datetime) -> None:
    """Close what an operator was asked about a subscription: it has its key now."""
    session.execute(_CLOSE, {"id": subscription_id, "now": now})
