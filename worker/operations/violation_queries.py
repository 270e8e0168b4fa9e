"""The statements with which invariants are evaluated and violations recorded."""

from __future__ import annotations

from sqlalchemy import text

# Planned as if every row of it was wanted: with a limit PostgreSQL hopes to find enough soon, and there are none.
FOUND = """
    WITH found AS MATERIALIZED ({query})
    SELECT count(*) AS found, COALESCE(array_agg(id ORDER BY id) FILTER (WHERE id IS NOT NULL), '{{}}') AS ids
    FROM (SELECT id FROM found LIMIT {most}) broken
"""

# The longest overdue of each queue, and of those that stand in none. What nothing blocks is charged in this order, so
# when anything of a queue is late, these are.
OVERDUE = text("""
    SELECT late.id FROM unnest(CAST(:queues AS text[])) AS asked(queue)
    CROSS JOIN LATERAL (
        SELECT id FROM charges
        WHERE queue = asked.queue AND status IN ('due', 'past_due') AND next_attempt_at < :claiming
        ORDER BY next_attempt_at, id LIMIT :most
    ) late
    UNION ALL (
        SELECT id FROM charges
        WHERE queue IS NULL AND status IN ('due', 'past_due') AND next_attempt_at < :claiming
        ORDER BY next_attempt_at, id LIMIT :most)
""")

STATUSES = text("""
    SELECT c.status, array_agg(c.id) AS ids FROM unnest(CAST(:charges AS bigint[])) AS asked(id)
    CROSS JOIN LATERAL (SELECT id, status FROM charges WHERE id = asked.id OFFSET 0) c
    GROUP BY c.status
""")

KNOWN = text("SELECT name, ids FROM violations")

# Two workers that check at the same time would both log that something is new.
TRY_LOCK = text("SELECT pg_try_advisory_xact_lock(hashtext('again.check_invariants'))")
LOCK = text("SELECT pg_advisory_xact_lock(hashtext('again.check_invariants'))")

RECORD = text("""
    WITH before AS (SELECT name, count FROM violations)
    INSERT INTO violations AS v (name, count, examples, ids, since, checked_at)
    SELECT r.name, r.count, r.examples, r.ids, :now, :now
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(name text, count bigint, examples text, ids bigint[])
    ON CONFLICT (name) DO UPDATE
        SET count = excluded.count, examples = excluded.examples, ids = excluded.ids, checked_at = excluded.checked_at
    RETURNING v.name, (SELECT before.count FROM before WHERE before.name = v.name) AS count_before
""")

# Invariants that this release does not have are deleted too.
FORGET = text("""
    DELETE FROM violations
    WHERE name = ANY(:judged) AND name <> ALL(:broken) OR name <> ALL(:known)
    RETURNING name, since
""")
