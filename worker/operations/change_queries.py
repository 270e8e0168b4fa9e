"""SQL of what has changed since the last check of the invariants, and of how far the checks have come."""

from __future__ import annotations

from sqlalchemy import text

POSITION = text("""
    SELECT settled, judged, pending, pending_xid, open_attempts,
           CASE WHEN database = current_identity() THEN snapshot END AS snapshot
    FROM invariant_position
""")

# Ids that were given before this statement belong to transactions that began before its own number was given.
MARK = text("""
    SELECT jsonb_build_object(
               'audit', COALESCE((SELECT max(id) FROM audit), 0),
               'consents', COALESCE((SELECT max(id) FROM consents), 0),
               'charges', COALESCE((SELECT max(id) FROM charges), 0),
               'attempts', COALESCE((SELECT max(id) FROM attempts), 0)) AS ids,
           ARRAY(SELECT id FROM attempts WHERE status = 'started') AS open_attempts,
           CAST(pg_current_snapshot() AS text) AS snapshot,
           CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS text) AS bigint) AS oldest_xid,
           CAST(CAST(pg_current_xact_id() AS text) AS bigint) AS own_xid
""")

# A row knows the low half of its transaction's number; the high half is that of numbers near today's.
_NEW = """
    SELECT r.id, {entity} AS entity, {entity_id} AS entity_id
    FROM {table} r
    CROSS JOIN (
        SELECT CAST(CAST(pg_snapshot_xmax(pg_current_snapshot()) AS text) AS bigint) + 2147483648 AS xid OFFSET 0
    ) newest
    WHERE r.id > :settled
      AND (r.id > :judged OR COALESCE(NOT pg_visible_in_snapshot(
            CAST(CAST(newest.xid - ((newest.xid - CAST(CAST(r.xmin AS text) AS bigint)) & 4294967295) AS text) AS xid8),
            CAST(CAST(:snapshot AS text) AS pg_snapshot)), true))
    ORDER BY r.id LIMIT :limit
"""

NEW_ROWS = {
    "audit": text(_NEW.format(table="audit", entity="r.entity", entity_id="r.entity_id")),
    "consents": text(_NEW.format(table="consents", entity="'consent'", entity_id="r.subscription_id")),
    "charges": text(_NEW.format(table="charges", entity="'charge'", entity_id="r.id")),
    "attempts": text(_NEW.format(table="attempts", entity="'attempt'", entity_id="r.id")),
}
"""By table, the rows that the last look did not see, and what each is about."""

OF_KEYS = text("""
    SELECT s.id FROM unnest(CAST(:billing_keys AS bigint[])) AS known(id)
    CROSS JOIN LATERAL (SELECT id FROM subscriptions WHERE billing_key_id = known.id OFFSET 0) s
""")

TOUCHED = text("""
    SELECT c.id, c.subscription_id FROM (
        SELECT id FROM unnest(CAST(:charges AS bigint[])) AS known(id)
        UNION SELECT a.charge_id FROM unnest(CAST(:attempts AS bigint[])) AS known(id)
        CROSS JOIN LATERAL (SELECT charge_id FROM attempts WHERE id = known.id OFFSET 0) a
        UNION SELECT d.charge_id FROM unnest(CAST(:discrepancies AS bigint[])) AS known(id)
        CROSS JOIN LATERAL (SELECT charge_id FROM discrepancies WHERE id = known.id OFFSET 0) d
        UNION SELECT r.charge_id FROM unnest(CAST(:refunds AS bigint[])) AS known(id)
        CROSS JOIN LATERAL (SELECT charge_id FROM refunds WHERE id = known.id OFFSET 0) r
        UNION SELECT o.id FROM unnest(CAST(:subscriptions AS bigint[])) AS known(id)
        CROSS JOIN LATERAL (
            SELECT id FROM charges
            WHERE subscription_id = known.id AND status IN ('due', 'charging', 'past_due') OFFSET 0) o
        UNION SELECT n.id FROM unnest(CAST(:consenting AS bigint[])) AS known(id)
        CROSS JOIN LATERAL (
            SELECT id FROM charges WHERE subscription_id = known.id ORDER BY period_start DESC LIMIT :consented) n
    ) touched
    CROSS JOIN LATERAL (SELECT id, subscription_id FROM charges WHERE id = touched.id OFFSET 0) c
""")

ADVANCE = text("""
    UPDATE invariant_position
    SET database = current_identity(), settled = CAST(:settled AS jsonb), judged = CAST(:judged AS jsonb),
        pending = CAST(:pending AS jsonb), pending_xid = :pending_xid, open_attempts = :open_attempts,
        snapshot = :snapshot
""")
