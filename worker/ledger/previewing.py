"""What only previews do, in a savepoint that is rolled back: charges to come are taken as paid, and read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from worker.domain.previews import PreviewedPeriod
from worker.ledger.subscription_status import settle_subscriptions

_ASSUME_PAID = text("""
    UPDATE charges SET status = 'paid', status_reason = 'previewed', status_at = :now, paid_at = :now,
        next_attempt_at = NULL, wait_reason = NULL
    WHERE subscription_id = :id AND status = 'due' AND declines = 0 AND awaits_consent_since IS NULL
      AND id IS DISTINCT FROM CAST(:but AS bigint)
    RETURNING id
""")

_NEWEST = text("SELECT max(id) FROM charges WHERE subscription_id = :id")

_AFTER = text("""
    SELECT period_start, period_end, amount, status <> 'void' AS owed FROM charges
    WHERE subscription_id = :id AND id > :last ORDER BY period_start
""")


def assume_paid(session: Session, subscription_id: int, *, but: int | None = None, now: datetime) -> None:
    """Take every charge as paid that is due and was never declined. Refuses to work outside of a savepoint.

    `but` is the charge that a change is about: it is wanted because that charge may not be paid by then.
    """
    if not session.in_nested_transaction():
        raise RuntimeError("a preview must be rolled back, and there is no savepoint to roll back to")
    if session.execute(_ASSUME_PAID, {"id": subscription_id, "but": but, "now": now}).first() is not None:
        settle_subscriptions(session, [subscription_id], reason="previewed", now=now)


def newest_charge(session: Session, subscription_id: int) -> int:
    """Return the id of the charge that was opened last, or 0."""
    return int(session.scalar(_NEWEST, {"id": subscription_id}) or 0)


def charges_after(session: Session, subscription_id: int, last: int) -> Sequence[PreviewedPeriod]:
    """Return the periods whose charges were opened after a charge."""
    rows = session.execute(_AFTER, {"id": subscription_id, "last": last})
    return [PreviewedPeriod(row.period_start, row.period_end, row.amount, row.owed) for row in rows]
