"""Holding a claim to the caps of the day: counted in the claim's own transaction, so that a rollback counts nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from worker.caps import CapExceeded, Guard, Total, day_exceeded, day_of, subscription_exceeded, totals
from worker.database.rows import as_rows
from worker.settlement import OpenAttempt

# How often the subscriptions of a claim were charged on the day, the claim included. What was proved not charged does
# not count: when PortOne is away for a day, a few charges that wait for it are tried more often than any cap.
# A charge's status was changed when it was sent or later. Looked at are the periods around the one that is claimed,
# for a day's charges of one subscription lie side by side; of a daily plan, all of them would be thousands.
_SUBSCRIPTION_DAY = text("""
    SELECT claimed.id AS charge_id, count(*) AS charges
    FROM (
        SELECT c.id, c.subscription_id, c.period_start, COALESCE(d.since, :midnight) AS since
        FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS v(charge_id bigint, pg text)
        JOIN charges c ON c.id = v.charge_id
        LEFT JOIN day_totals d ON d.day_on = :day_on AND d.pg = v.pg
    ) claimed
    CROSS JOIN LATERAL (
        (SELECT id, status_at FROM charges
         WHERE subscription_id = claimed.subscription_id AND period_start <= claimed.period_start
         ORDER BY period_start DESC LIMIT 2 * :most + 2)
        UNION ALL
        (SELECT id, status_at FROM charges
         WHERE subscription_id = claimed.subscription_id AND period_start > claimed.period_start
         ORDER BY period_start LIMIT 2 * :most + 2)
    ) near
    JOIN attempts a ON a.charge_id = near.id
    WHERE near.status_at >= claimed.since AND a.started_at >= claimed.since AND a.status <> 'not_charged'
    GROUP BY claimed.id
    HAVING count(*) > :most
    ORDER BY claimed.id
    LIMIT 1
""")

# The rows stay locked until the claim commits: what others claim meanwhile is added to what this one has.
_ADD = text("""
    INSERT INTO day_totals AS d (day_on, pg, sends, amount, since)
    SELECT :day_on, v.pg, v.charges, v.amount, :now
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS v(pg text, charges bigint, amount bigint)
    ORDER BY v.pg
    ON CONFLICT (day_on, pg) DO UPDATE SET sends = d.sends + excluded.sends, amount = d.amount + excluded.amount
    RETURNING d.pg, d.sends, d.amount
""")

_COUNT_ANEW = text("""
    INSERT INTO day_totals (day_on, pg, sends, amount, since) VALUES (:day_on, :pg, 0, 0, :now)
    ON CONFLICT (day_on, pg) DO UPDATE SET sends = 0, amount = 0, since = excluded.since
""")


def hold_to_day(session: Session, attempts: Sequence[OpenAttempt], guard: Guard, *, now: datetime) -> None:
    """Count what has just been claimed; raise CapExceeded when it is too much for the day, and nothing may be sent.

    The last thing before the commit: all other claims through these PGs wait for it.
    """
    day_on, midnight = day_of(now)
    _hold_subscriptions(session, attempts, guard, day_on, midnight)
    added = totals(attempts)
    rows = as_rows({"pg": pg, "charges": more.charges, "amount": more.amount} for pg, more in added.items())
    for row in session.execute(_ADD, {"day_on": day_on, "rows": rows, "now": now}).all():
        more = added[row.pg]
        before = Total(row.sends, row.amount) - more
        if sentence := day_exceeded(guard.caps, row.pg, day_on, before, more):
            raise CapExceeded(row.pg, sentence)


def _hold_subscriptions(
    session: Session, attempts: Sequence[OpenAttempt], guard: Guard, day_on: date, midnight: datetime
) -> None:
    pgs = {attempt.charge_id: attempt.request.pg for attempt in attempts}
    rows = as_rows({"charge_id": charge_id, "pg": pg} for charge_id, pg in pgs.items())
    most = guard.caps.subscription_charges_per_day
    found = session.execute(
        _SUBSCRIPTION_DAY, {"rows": rows, "day_on": day_on, "midnight": midnight, "most": most}
    ).one_or_none()
    if found is not None:
        pg = pgs[found.charge_id]
        if sentence := subscription_exceeded(guard.caps, pg, found.charge_id, found.charges):
            raise CapExceeded(pg, sentence)


def count_anew(session: Session, pg: str, *, now: datetime) -> None:
    """Begin the day's count of a PG again, for a person has looked and released it."""
    session.execute(_COUNT_ANEW, {"day_on": day_of(now)[0], "pg": pg, "now": now})
