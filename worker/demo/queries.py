"""What the demo counts in the database. Reads only."""

from __future__ import annotations

from sqlalchemy import text

PAID_PERIODS = text("""
    SELECT s.code, c.period_start FROM charges c JOIN subscriptions s ON s.id = c.subscription_id
    WHERE c.status = 'paid'
""")

# What is due and has no key is not charged, whatever happens here: its customer has to register another.
CHARGES_BY_STATUS = text("""
    SELECT CASE WHEN c.status = 'due' AND k.id IS NULL THEN 'waits_for_key' ELSE c.status END AS status,
           count(*) AS charges
    FROM charges c JOIN subscriptions s ON s.id = c.subscription_id
    LEFT JOIN billing_keys k ON k.id = s.billing_key_id AND k.status = 'active'
    GROUP BY 1
""")
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

# Settled attempts by the day on which they were, in Seoul; a charge's first attempt that is paid is no retry.
DAYS = text("""
    SELECT CAST(a.settled_at AT TIME ZONE 'Asia/Seoul' AS date) AS day,
           count(*) FILTER (WHERE a.status = 'paid') AS paid,
           count(*) FILTER (WHERE a.status = 'paid' AND a.number > 1) AS retried,
           count(*) FILTER (WHERE a.status = 'declined') AS declined,
           COALESCE(sum(c.amount) FILTER (WHERE a.status = 'paid'), 0) AS won
    FROM attempts a JOIN charges c ON c.id = a.charge_id
    WHERE a.settled_at > :since AND a.settled_at <= :until AND a.status IN ('paid', 'declined')
    GROUP BY 1 ORDER BY 1
""")
