"""SQL of what a forecast is shown beside: what was paid on the same days a month before, and the changes to come."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import text
from sqlalchemy.orm import Session

from worker.domain.changes import ChangeKind
from worker.domain.charge_limits import Total
from worker.domain.forecast import Days, Place
from worker.forecast.queries import TO_COME, Parameters

_CHANGES = text(f"""
    SELECT x.kind, count(*) AS times FROM changes x WHERE {TO_COME} GROUP BY x.kind ORDER BY x.kind
""")  # noqa: S608 - constants only

_PAID = text("""
    SELECT CAST(c.paid_at AT TIME ZONE 'Asia/Seoul' AS date) AS day, p.code AS plan, COALESCE(c.queue, k.pg, '') AS pg,
           count(*) AS charges, CAST(sum(c.amount) AS bigint) AS amount
    FROM (
        SELECT paid_at, amount, subscription_id, queue FROM charges
        WHERE paid_at >= :since AND paid_at <= :until AND paid_elsewhere IS NULL AND amount > 0 OFFSET 0) c
    CROSS JOIN LATERAL (SELECT plan_id, billing_key_id FROM subscriptions WHERE id = c.subscription_id OFFSET 0) s
    CROSS JOIN LATERAL (SELECT code FROM plans WHERE id = s.plan_id OFFSET 0) p
    LEFT JOIN LATERAL (SELECT pg FROM billing_keys WHERE id = s.billing_key_id OFFSET 0) k ON true
    GROUP BY 1, 2, 3
""")


def changes_to_come(session: Session, asked: Parameters) -> Mapping[ChangeKind, int]:
    """Return how many changes of each kind take effect until then."""
    return {ChangeKind(row.kind): row.times for row in session.execute(_CHANGES, asked)}


def paid_on(session: Session, days: Days) -> Mapping[Place, Total]:
    """Return what was paid through PortOne on some days, by day, plan and PG."""
    rows = session.execute(_PAID, {"since": days.since, "until": days.until})
    return {Place(row.day, row.plan, row.pg): Total(row.charges, row.amount) for row in rows}
