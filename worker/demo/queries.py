"""What the demo counts in the database. Reads only."""

from __future__ import annotations

from sqlalchemy import text

PAID_PERIODS = text("""
    SELECT s.code, c.period_start FROM charges c JOIN subscriptions s ON s.id = c.subscription_id
    WHERE c.status = 'paid'
""")

CHARGES_BY_STATUS = text("SELECT status, count(*) AS charges FROM charges GROUP BY status")
UNKNOWN_ATTEMPTS = text("SELECT count(*) FROM attempts WHERE status = 'unknown'")
LOOKED_UP = text("SELECT count(DISTINCT entity_id) FROM audit WHERE entity = 'attempt' AND to_status = 'unknown'")
SENT_AGAIN = text("SELECT count(*) FROM attempts WHERE sends > 1")
