"""What is going on beside the counts: what was paid and heard, what fails, and what is compared with PortOne.

Fast however many charges are settled, so nothing here may count all that were ever paid.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from worker.database.tables.operations import Sweep
from worker.domain.states import SweepReason, WebhookOutcome
from worker.operations.count_queries import Count

_PAID_SINCE = text("""
    SELECT count(*) FILTER (WHERE paid_elsewhere IS NULL) AS found,
           COALESCE(sum(amount) FILTER (WHERE paid_elsewhere IS NULL), 0)::bigint AS amount,
           COALESCE(sum(refunded), 0)::bigint AS refunded,
           count(paid_elsewhere) AS elsewhere,
           COALESCE(sum(amount) FILTER (WHERE paid_elsewhere IS NOT NULL), 0)::bigint AS amount_elsewhere
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

_DAYS_OF_DISCREPANCIES = text("""
    SELECT DISTINCT CAST(found_at AT TIME ZONE 'Asia/Seoul' AS date) AS day_on FROM discrepancies WHERE status = 'open'
    ORDER BY day_on
""")

_OPEN_DISCREPANCIES = text(
    "SELECT count(*) AS found, min(found_at) AS oldest_at FROM discrepancies WHERE status = 'open'"
)


@dataclass(frozen=True, slots=True)
class PaidTotal:
    """What was paid through PortOne since an instant, in KRW, and how much of that was refunded by now.

    What was paid elsewhere is none of it, and counted apart.
    """

    count: int
    amount: int
    since: datetime
    refunded: int = 0
    elsewhere: int = 0
    amount_elsewhere: int = 0


@dataclass(frozen=True, slots=True)
class WebhookCounts:
    """The webhooks since an instant, those of unknown payments among them, and how many in all are to be looked up."""

    count: int
    unknown: int
    waiting: int
    since: datetime


def paid_since(session: Session, since: datetime) -> PaidTotal:
    """Sum up what was paid since an instant, by PortOne's time of the payment, or when it was said that it was paid."""
    row = session.execute(_PAID_SINCE, {"since": since}).one()
    return PaidTotal(row.found, row.amount, since, row.refunded, row.elsewhere, row.amount_elsewhere)


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


def days_of_discrepancies(session: Session) -> Sequence[date]:
    """Return the days, in Seoul, on which discrepancies were found that are open."""
    return session.scalars(_DAYS_OF_DISCREPANCIES).all()


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
