"""What is going on: counts and oldest instants, each from an index that holds only such rows.

Fast however many charges are settled, so nothing here may count all that were ever paid.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from worker.database.tables.operations import Sweep
from worker.domain.blockers import Blocker
from worker.domain.states import SweepReason, WebhookOutcome
from worker.ledger.blockers import CONDITIONS, KEY_NOT_ACTIVE, WITHOUT_KEY, none_of

_UNDECIDED = {Blocker.NOT_WAITING, Blocker.DISCREPANCY}

# In two parts, each of which begins at the few: one condition over both would read every subscription.
_WAITING_FOR_KEY = f"""
    SELECT c.id, c.status_at
    FROM billing_keys k JOIN subscriptions s ON s.billing_key_id = k.id JOIN charges c ON c.subscription_id = s.id
    WHERE {KEY_NOT_ACTIVE} AND {none_of(_UNDECIDED)}
    UNION ALL
    SELECT c.id, c.status_at
    FROM subscriptions s JOIN charges c ON c.subscription_id = s.id
    WHERE {WITHOUT_KEY} AND {none_of(_UNDECIDED)}
"""  # noqa: S608 - constants only

# Every charge is in one row at most: one that waits for a key is not due, whatever its time, and one with a discrepancy
# waits for nothing but a decision. What is stopped, held, paused or behind another charge is due all along.
_COUNTS = text(f"""
    WITH waiting AS MATERIALIZED ({_WAITING_FOR_KEY}),
    ready AS NOT MATERIALIZED (
        SELECT c.status, c.next_attempt_at, c.first_declined_at, c.status_at,
               {CONDITIONS[Blocker.NOT_YET]} AND c.wait_reason IS NOT DISTINCT FROM 'month_quota' AS month_spent
        FROM charges c
        WHERE {none_of(_UNDECIDED | {Blocker.CONSENT})} AND NOT EXISTS (SELECT FROM waiting w WHERE w.id = c.id)
    ),
    needs_person AS (
        SELECT found_at AS since FROM discrepancies WHERE status = 'open'
        UNION ALL SELECT flagged_at FROM attempts a
        WHERE a.status = 'unknown' AND a.flagged_at IS NOT NULL AND NOT EXISTS (
            SELECT FROM discrepancies d
            WHERE d.charge_id = a.charge_id AND d.attempt_id = a.id AND d.status = 'open')
        UNION ALL SELECT status_at FROM ready c WHERE status = 'past_due' AND {CONDITIONS[Blocker.NO_NEXT_ATTEMPT]}
    )
    SELECT 'to_open' AS name, count(*) AS found, min(next_charge_at) AS oldest_at
    FROM subscriptions WHERE next_charge_at <= :now
    UNION ALL SELECT 'due', count(*), min(next_attempt_at) FROM ready c
    WHERE {none_of({Blocker.NO_NEXT_ATTEMPT, Blocker.NOT_YET})}
    UNION ALL SELECT 'deferred', count(*), min(status_at)
    FROM ready c WHERE status = 'due' AND {CONDITIONS[Blocker.NOT_YET]} AND NOT month_spent
    UNION ALL SELECT 'month_quota', count(*), min(status_at) FROM ready WHERE month_spent
    UNION ALL SELECT 'in_flight', count(*), min(started_at)
    FROM attempts WHERE status = 'started' AND lease_until >= :now
    UNION ALL SELECT 'abandoned', count(*), min(started_at)
    FROM attempts WHERE status = 'started' AND lease_until < :now
    UNION ALL SELECT 'unknown', count(*), min(started_at)
    FROM attempts WHERE status = 'unknown' AND flagged_at IS NULL
    UNION ALL SELECT 'failing', count(*), min(failing_since)
    FROM attempts WHERE status = 'unknown' AND failing_since IS NOT NULL
    UNION ALL SELECT 'needs_person', count(*), min(since) FROM needs_person
    UNION ALL SELECT 'past_due', count(*), min(first_declined_at)
    FROM ready c WHERE status = 'past_due' AND {CONDITIONS[Blocker.NOT_YET]} AND NOT month_spent
    UNION ALL SELECT 'waiting_for_key', count(*), min(status_at) FROM waiting
    UNION ALL SELECT 'waiting_for_consent', count(*), min(awaits_consent_since) FROM charges c
    WHERE {CONDITIONS[Blocker.CONSENT]} AND {none_of(_UNDECIDED)}
      AND NOT EXISTS (SELECT FROM waiting w WHERE w.id = c.id)
    UNION ALL SELECT 'waiting_for_payment', count(*), min(waiting_since)
    FROM subscriptions WHERE waiting_since IS NOT NULL
    UNION ALL SELECT 'uncollectible', count(*), min(status_at)
    FROM charges WHERE status = 'uncollectible'
    UNION ALL SELECT 'void', count(*), min(status_at)
    FROM charges WHERE status = 'void'
""")  # noqa: S608 - constants only

_PAID_SINCE = text("""
    SELECT count(*) AS found, COALESCE(sum(amount), 0)::bigint AS amount,
           COALESCE(sum(refunded), 0)::bigint AS refunded
    FROM charges WHERE paid_at >= :since AND status = 'paid'
""")

_HEARD = text("""
    SELECT count(*) AS heard, count(*) FILTER (WHERE outcome_code = ANY(:unknown)) AS unknown,
           (SELECT count(*) FROM webhooks WHERE next_lookup_at IS NOT NULL) AS waiting
    FROM webhooks WHERE received_at >= :since
""")

UNKNOWN_PAYMENTS = (WebhookOutcome.UNKNOWN_PAYMENT, WebhookOutcome.NOT_OURS)
"""Outcomes of webhooks that are about no payment of ours."""

_FAILING = text("""
    SELECT count(*) AS found, min(failing_since) AS oldest_at
    FROM attempts WHERE status = 'unknown' AND failing_since IS NOT NULL
""")

_FAILURE = text("""
    SELECT failure FROM attempts WHERE status = 'unknown' AND failing_since IS NOT NULL
    ORDER BY failing_since LIMIT 1
""")

_OPEN_DISCREPANCIES = text(
    "SELECT count(*) AS found, min(found_at) AS oldest_at FROM discrepancies WHERE status = 'open'"
)


@dataclass(frozen=True, slots=True)
class Count:
    """How many, and since when the oldest; None when there is none."""

    count: int
    oldest_at: datetime | None


@dataclass(frozen=True, slots=True)
class PaidTotal:
    """What was paid since an instant, in KRW, and how much of that was refunded by now."""

    count: int
    amount: int
    since: datetime
    refunded: int = 0


@dataclass(frozen=True, slots=True)
class WebhookCounts:
    """The webhooks since an instant, those of unknown payments among them, and how many in all are to be looked up."""

    count: int
    unknown: int
    waiting: int
    since: datetime


def counts(session: Session, *, now: datetime) -> Mapping[str, Count]:
    """Count what is open and what was given up, by name."""
    return {row.name: Count(row.found, row.oldest_at) for row in session.execute(_COUNTS, {"now": now})}


def paid_since(session: Session, since: datetime) -> PaidTotal:
    """Sum up what was paid since an instant, by PortOne's time of the payment."""
    row = session.execute(_PAID_SINCE, {"since": since}).one()
    return PaidTotal(row.found, row.amount, since, row.refunded)


def webhooks_since(session: Session, since: datetime) -> WebhookCounts:
    """Count the webhooks since an instant. Repeated ones count once."""
    row = session.execute(_HEARD, {"since": since, "unknown": list(UNKNOWN_PAYMENTS)}).one()
    return WebhookCounts(row.heard, row.unknown, row.waiting, since)


def failing_look_ups(session: Session) -> Count:
    """Count the attempts whose look-ups fail."""
    row = session.execute(_FAILING).one()
    return Count(row.found, row.oldest_at)


def look_up_failure(session: Session) -> str | None:
    """Return why the longest failing look-up failed last; None when none fails."""
    failure: str | None = session.scalar(_FAILURE)
    return failure


def failing_sweep(session: Session) -> Sweep | None:
    """Return the sweep whose list could not be read for the longest time."""
    failing = select(Sweep).where(Sweep.finished_at.is_(None), Sweep.failing_since.is_not(None))
    return session.scalars(failing.order_by(Sweep.failing_since).limit(1)).one_or_none()


def open_discrepancies(session: Session) -> Count:
    """Count the open discrepancies."""
    row = session.execute(_OPEN_DISCREPANCIES).one()
    return Count(row.found, row.oldest_at)


def holding_sweep(session: Session) -> Sweep | None:
    """Return the sweep that holds all charging; the first one if there are several."""
    holding = select(Sweep).where(Sweep.finished_at.is_(None), Sweep.holds_claims)
    return session.scalars(holding.order_by(Sweep.id).limit(1)).one_or_none()


def last_daily_sweep(session: Session) -> Sweep | None:
    """Return the last daily sweep that has compared everything."""
    daily = select(Sweep).where(
        Sweep.finished_at.is_not(None), Sweep.ended_early.is_(None), Sweep.reason == SweepReason.DAILY
    )
    return session.scalars(daily.order_by(Sweep.finished_at.desc()).limit(1)).one_or_none()
