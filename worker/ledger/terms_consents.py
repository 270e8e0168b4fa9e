"""What a customer agrees to when the terms of a running subscription change and its billing key stays."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from worker.ledger import consents
from worker.ledger.charges import OWED, OwedPeriod
from worker.ledger.consents import NOT_AGREED, Consent

# What was owed when it was agreed to, or has been charged since; and what was given up and may be collected again.
_COVERED = text(f"""
    SELECT c.period_start, c.amount FROM charges c JOIN subscriptions s ON s.id = c.subscription_id
    WHERE c.subscription_id = :id AND c.period_start <= :agreed_at
      AND (c.awaits_consent_since IS NULL AND ({OWED} OR c.status = 'uncollectible' AND NOT {NOT_AGREED})
           OR EXISTS (
        SELECT FROM attempts a
        WHERE a.charge_id = c.id AND a.via = 'again' AND a.started_at >= :agreed_at OFFSET 0))
    ORDER BY c.period_start
""")  # noqa: S608 - constants only


def add_to_terms(session: Session, subscription_id: int, values: Mapping[str, Any], *, agreed_at: datetime) -> Consent:
    """Write down that a customer has agreed to the terms which a locked subscription has by now, when they did.

    What began before that and may still be charged stays agreed to: it is listed. What begins later is charged as it
    falls due, on these terms.
    """
    covered = session.execute(_COVERED, {"id": subscription_id, "agreed_at": agreed_at})
    listed = [OwedPeriod(row.period_start, row.amount) for row in covered]
    return consents.add(session, {**values, "subscription_id": subscription_id}, listed, now=agreed_at)
