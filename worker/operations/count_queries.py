"""How many of each there are, and since when the oldest: the counts of `again status` and of the metrics alike.

Fast however many charges are settled. What moves is counted from indexes that hold only such rows, and costs next to
nothing; what stands for days costs as much as there is of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import TextClause, text
from sqlalchemy.orm import Session

from worker.domain.blockers import Blocker
from worker.ledger.blockers import CONDITIONS, OWNER, none_of

# Every charge is in one row at most: one that waits for a key is not due, whatever its time, and one with a discrepancy
# waits for nothing but a decision. What is stopped, held, paused or behind another charge is due all along.
_READY = none_of({Blocker.DISCREPANCY, Blocker.CONSENT, Blocker.GATE, Blocker.BILLING_KEY})

# Queue by queue, as claims do it: what is due is found among millions that are not.
_MOVING = text(f"""
    WITH RECURSIVE queues AS (
        (SELECT queue FROM charges WHERE status IN ('due', 'past_due') AND queue > '' ORDER BY queue LIMIT 1)
        UNION ALL
        SELECT (SELECT c.queue FROM charges c
                WHERE c.status IN ('due', 'past_due') AND c.queue > queues.queue ORDER BY c.queue LIMIT 1)
        FROM queues WHERE queues.queue IS NOT NULL
    ), come AS (
        SELECT c.* FROM queues CROSS JOIN LATERAL (
            SELECT id, subscription_id, next_attempt_at, awaits_consent_since, gate_held_since FROM charges
            WHERE queue = queues.queue AND next_attempt_at <= :now AND status IN ('due', 'past_due') OFFSET 0) c
        UNION ALL
        SELECT id, subscription_id, next_attempt_at, awaits_consent_since, gate_held_since FROM charges
        WHERE queue IS NULL AND next_attempt_at <= :now AND status IN ('due', 'past_due')
    )
    SELECT 'to_open' AS name, count(*) AS found, min(next_charge_at) AS oldest_at
    FROM subscriptions WHERE next_charge_at <= :now
    UNION ALL SELECT 'due', count(*), min(c.next_attempt_at) FROM come c {OWNER} WHERE {_READY}
    UNION ALL SELECT 'in_flight', count(*), min(started_at)
    FROM attempts WHERE status = 'started' AND lease_until >= :now
    UNION ALL SELECT 'abandoned', count(*), min(started_at)
    FROM attempts WHERE status = 'started' AND lease_until < :now
    UNION ALL SELECT 'unknown', count(*), min(started_at)
    FROM attempts WHERE status = 'unknown' AND flagged_at IS NULL
    UNION ALL SELECT 'failing', count(*), min(failing_since)
    FROM attempts WHERE status = 'unknown' AND failing_since IS NOT NULL
    UNION ALL SELECT 'waiting_for_consent', count(*), min(c.awaits_consent_since) FROM charges c {OWNER}
    WHERE {CONDITIONS[Blocker.CONSENT]}
      AND {none_of({Blocker.NOT_WAITING, Blocker.DISCREPANCY, Blocker.BILLING_KEY})}
    UNION ALL SELECT 'held_by_gate', count(*), min(c.gate_held_since) FROM charges c {OWNER}
    WHERE {CONDITIONS[Blocker.GATE]}
      AND {none_of({Blocker.NOT_WAITING, Blocker.DISCREPANCY, Blocker.BILLING_KEY, Blocker.CONSENT})}
    UNION ALL SELECT 'refunding', count(*), min(started_at)
    FROM refunds WHERE status IN ('requested', 'unclear') AND flagged_at IS NULL
    UNION ALL SELECT 'waiting_for_approval', count(*), min(created_at)
    FROM changes WHERE status = 'scheduled' AND waits_for = 'approval'
""")  # noqa: S608 - constants only

# What waits is read once, each charge with its subscription and its key.
_STANDING = text(f"""
    WITH open AS MATERIALIZED (
        SELECT c.status, c.first_declined_at, c.status_at, c.next_attempt_at,
               {CONDITIONS[Blocker.CONSENT]} OR {CONDITIONS[Blocker.GATE]} AS awaits_consent,
               {CONDITIONS[Blocker.BILLING_KEY]} AS without_key,
               {CONDITIONS[Blocker.NOT_YET]} AS later,
               {CONDITIONS[Blocker.NOT_YET]} AND c.wait_reason IS NOT DISTINCT FROM 'month_quota' AS month_spent
        FROM charges c {OWNER}
        WHERE {none_of({Blocker.NOT_WAITING, Blocker.DISCREPANCY})}
    ), ready AS (
        SELECT * FROM open WHERE NOT without_key AND NOT awaits_consent
    ), needs_person AS (
        SELECT found_at AS since FROM discrepancies WHERE status = 'open'
        UNION ALL SELECT flagged_at FROM attempts a
        WHERE a.status = 'unknown' AND a.flagged_at IS NOT NULL AND NOT EXISTS (
            SELECT FROM discrepancies d
            WHERE d.charge_id = a.charge_id AND d.attempt_id = a.id AND d.status = 'open')
        UNION ALL SELECT flagged_at FROM refunds
        WHERE status IN ('requested', 'unclear') AND flagged_at IS NOT NULL
        UNION ALL SELECT status_at FROM ready WHERE status = 'past_due' AND next_attempt_at IS NULL
    )
    SELECT 'deferred' AS name, count(*) AS found, min(status_at) AS oldest_at
    FROM ready WHERE status = 'due' AND later AND NOT month_spent
    UNION ALL SELECT 'month_quota', count(*), min(status_at) FROM ready WHERE month_spent
    UNION ALL SELECT 'needs_person', count(*), min(since) FROM needs_person
    UNION ALL SELECT 'past_due', count(*), min(first_declined_at)
    FROM ready WHERE status = 'past_due' AND later AND NOT month_spent
    UNION ALL SELECT 'waiting_for_key', count(*), min(status_at) FROM open WHERE without_key
    UNION ALL SELECT 'charged_despite_gate', count(*), min(period_start) FROM charges
    WHERE gate_lacks IS NOT NULL AND gate_held_since IS NULL AND status <> 'void'
      AND period_start >= CAST(:now AS timestamptz) - interval '30 days'
    UNION ALL SELECT 'waiting_for_payment', count(*), min(waiting_since)
    FROM subscriptions WHERE waiting_since IS NOT NULL
    UNION ALL SELECT 'uncollectible', count(*), min(status_at)
    FROM charges WHERE status = 'uncollectible'
    UNION ALL SELECT 'void', count(*), min(status_at)
    FROM charges WHERE status = 'void'
""")  # noqa: S608 - constants only


@dataclass(frozen=True, slots=True)
class Count:
    """How many, and since when the oldest; None when there is none."""

    count: int
    oldest_at: datetime | None


def counts(session: Session, *, now: datetime) -> Mapping[str, Count]:
    """Count what is open and what was given up, by name."""
    return {**moving_counts(session, now=now), **standing_counts(session, now=now)}


def moving_counts(session: Session, *, now: datetime) -> Mapping[str, Count]:
    """Count what comes and goes within minutes, as a rule; its cost is that of these few."""
    return _counts(session, _MOVING, now)


def standing_counts(session: Session, *, now: datetime) -> Mapping[str, Count]:
    """Count what waits for days or was given up, and what an operator has to decide; its cost grows with them."""
    return _counts(session, _STANDING, now)


def _counts(session: Session, statement: TextClause, now: datetime) -> Mapping[str, Count]:
    return {row.name: Count(row.found, row.oldest_at) for row in session.execute(statement, {"now": now})}
