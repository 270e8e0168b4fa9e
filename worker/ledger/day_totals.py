"""Charge limits of the day: counted in the claim's own transaction, so that a rollback counts nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from worker.database.bulk import as_rows
from worker.domain.attempt import Attempt
from worker.domain.charge_limits import (
    LimitCheck,
    LimitExceeded,
    SubscriptionLimitsExceeded,
    Total,
    day_exceeded,
    day_of,
    subscription_exceeded,
    subscription_most,
    totals,
)

# Whose subscription may have been charged today before: one of the periods beside the claimed one was. Those of one
# subscription that are charged on one day lie side by side, and a charge's status changes when it is sent or later.
# To count for all that are claimed would take four times as long.
_CHARGED_BESIDE = text("""
    SELECT c.id FROM charges c
    WHERE c.id = ANY(:ids) AND EXISTS (
        SELECT FROM (
            (SELECT status_at FROM charges
             WHERE subscription_id = c.subscription_id AND period_start < c.period_start
             ORDER BY period_start DESC LIMIT 3)
            UNION ALL
            (SELECT status_at FROM charges
             WHERE subscription_id = c.subscription_id AND period_start > c.period_start
             ORDER BY period_start LIMIT 3)
        ) beside
        WHERE status_at >= :midnight
    )
""")

# How often these subscriptions were charged on the day, the claim included. What was proved not charged does not count:
# when PortOne is away for a day, a few charges that wait for it are tried more often than any limit allows.
# OFFSET 0 has each row looked up by its index: joined freely, whole tables are read.
_SUBSCRIPTION_DAY = text("""
    SELECT claimed.id AS charge_id, count(*) AS charges
    FROM (
        SELECT c.id, c.subscription_id, c.period_start, v.most,
               GREATEST(COALESCE(d.since, :midnight), h.status_at) AS since
        FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS v(charge_id bigint, pg text, most integer)
        CROSS JOIN LATERAL (
            SELECT id, subscription_id, period_start FROM charges WHERE id = v.charge_id OFFSET 0
        ) c
        LEFT JOIN day_totals d ON d.day_on = :day_on AND d.pg = v.pg
        LEFT JOIN holds h ON h.subscription_id = c.subscription_id  -- released, or nothing of it would be claimed
    ) claimed
    CROSS JOIN LATERAL (
        SELECT id FROM (
            (SELECT id, status_at FROM charges
             WHERE subscription_id = claimed.subscription_id AND period_start <= claimed.period_start
             ORDER BY period_start DESC LIMIT 2 * :most + 2)
            UNION ALL
            (SELECT id, status_at FROM charges
             WHERE subscription_id = claimed.subscription_id AND period_start > claimed.period_start
             ORDER BY period_start LIMIT 2 * :most + 2)
        ) around
        WHERE status_at >= claimed.since
        OFFSET 0
    ) near
    CROSS JOIN LATERAL (
        SELECT FROM attempts
        WHERE charge_id = near.id AND started_at >= claimed.since AND status <> 'not_charged'
        OFFSET 0
    ) sent
    GROUP BY claimed.id, claimed.most
    HAVING count(*) > claimed.most
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


def enforce_day_limits(session: Session, attempts: Sequence[Attempt], check: LimitCheck, *, now: datetime) -> None:
    """Count what has just been claimed; raise LimitExceeded or SubscriptionLimitsExceeded when it is too much.

    The last thing before the commit: all other claims through these PGs wait for it.
    """
    day_on, midnight = day_of(now)
    _hold_subscriptions(session, attempts, check, day_on, midnight)
    added = totals(attempts)
    rows = as_rows({"pg": pg, "charges": more.charges, "amount": more.amount} for pg, more in added.items())
    for row in session.execute(_ADD, {"day_on": day_on, "rows": rows, "now": now}).all():
        more = added[row.pg]
        before = Total(row.sends, row.amount) - more
        if sentence := day_exceeded(check.limits, row.pg, day_on, before, more):
            raise LimitExceeded(row.pg, sentence)


def _hold_subscriptions(
    session: Session, attempts: Sequence[Attempt], check: LimitCheck, day_on: date, midnight: datetime
) -> None:
    most = {each.charge.id: subscription_most(check.limits, each.request.amount)[0] for each in attempts}
    beside = {"ids": list(most), "midnight": midnight}
    doubtful = set(session.scalars(_CHARGED_BESIDE, beside))
    asked = {
        each.charge.id: each for each in attempts if each.charge.id in doubtful or each.number > most[each.charge.id]
    }
    if not asked:
        return
    rows = as_rows({"charge_id": each, "pg": asked[each].request.pg, "most": most[each]} for each in asked)
    parameters = {"rows": rows, "day_on": day_on, "midnight": midnight, "most": max(most[each] for each in asked)}
    reasons: dict[int, str] = {}
    for row in session.execute(_SUBSCRIPTION_DAY, parameters).all():
        attempt = asked[row.charge_id]
        if sentence := subscription_exceeded(check.limits, attempt, row.charges):
            reasons[attempt.charge.subscription_id] = sentence
    if reasons:
        raise SubscriptionLimitsExceeded(reasons)


def count_anew(session: Session, pg: str, *, now: datetime) -> None:
    """Begin the day's count of a PG again, for an operator has looked and released it."""
    session.execute(_COUNT_ANEW, {"day_on": day_of(now)[0], "pg": pg, "now": now})
