"""The statements with which invariants are evaluated and violations recorded."""

from __future__ import annotations

from sqlalchemy import text

# Planned as if every row of it was wanted: with a limit PostgreSQL hopes to find enough soon, and there are none.
FOUND = """
    WITH found AS MATERIALIZED ({query})
    SELECT count(*) AS found, coalesce((array_agg(id ORDER BY id) FILTER (WHERE id IS NOT NULL))[1:{examples}],
                                       '{{}}') AS examples
    FROM (SELECT id FROM found LIMIT {most}) broken
"""

# Two workers that check at the same time would both log that something is new.
LOCK = text("SELECT pg_try_advisory_xact_lock(hashtext('again.check_invariants'))")

RECORD = text("""
    WITH before AS (SELECT name, count FROM violations)
    INSERT INTO violations AS v (name, count, examples, since, checked_at)
    SELECT r.name, r.count, r.examples, :now, :now
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(name text, count bigint, examples text)
    ON CONFLICT (name) DO UPDATE
        SET count = excluded.count, examples = excluded.examples, checked_at = excluded.checked_at
    RETURNING v.name, (SELECT before.count FROM before WHERE before.name = v.name) AS count_before
""")

# Invariants that this release does not have are deleted too.
FORGET = text("""
    DELETE FROM violations
    WHERE name = ANY(:judged) AND name <> ALL(:broken) OR name <> ALL(:known)
    RETURNING name, since
""")
