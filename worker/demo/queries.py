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
UNPUBLISHED = text("SELECT count(*) FROM outbox")
EVENTS_BY_TYPE = text("SELECT type, count(*) AS events FROM events GROUP BY type ORDER BY count(*) DESC, type")
# Told, or noted: what the relay has not come to yet is on its way.
UNTOLD_PERIODS = text("""
    SELECT count(*) FROM charges c
    WHERE c.status = 'paid' AND 1 <> (
        SELECT count(*) FROM events e
        WHERE e.subscription_id = c.subscription_id AND e.type = 'charge.paid'
          AND CAST(e.data -> 'charge' ->> 'id' AS bigint) = c.id) + (
        SELECT count(*) FROM outbox o WHERE o.charge_id = c.id AND o.type = 'charge.paid')
""")
SENT_AGAIN = text("SELECT count(*) FROM attempts WHERE sends > 1")
