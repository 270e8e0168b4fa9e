"""SQL of webhooks: stored once each, however often they come, and looked up until PortOne confirms them or gives up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from worker.domain.states import WebhookOutcome

MAX_LOOKUPS = 20
"""Look-ups that PortOne did not answer, a quarter of an hour apart; the daily statement finds what is left."""

MAX_UNCONFIRMED_LOOKUPS = 3
"""Look-ups that did not confirm what a webhook says, before it counts as forged or mistaken."""

RETENTION = timedelta(days=90)
"""How long a processed webhook is kept, to tell what came when. Sent again later, it is looked up again."""

RECHECK_AFTER = timedelta(minutes=1)
"""How soon an unconfirmed webhook that is sent again is looked up again; until then it waits for maintenance."""

MAX_DETAIL_LENGTH = 500

_STORE = text("""
    INSERT INTO webhooks AS w (imp_uid, merchant_uid, status, cancellation_id, received_at, next_lookup_at)
    VALUES (:imp_uid, :merchant_uid, :status, :cancellation_id, :now, :hold_until)
    ON CONFLICT (imp_uid, merchant_uid, status, cancellation_id) DO UPDATE
        SET deliveries = w.deliveries + 1,
            -- It may have come too early, or from an attacker who knew the ids, and be true by now.
            next_lookup_at = CASE WHEN NOT w.confirmed THEN LEAST(w.next_lookup_at, :hold_until) END
    RETURNING id, NOT confirmed AND COALESCE(looked_up_at <= :lately, true) AS is_due
""")

_TAKE = text("""
    UPDATE webhooks SET lookups = lookups + 1,
        next_lookup_at = CASE WHEN lookups < :most THEN CAST(:now AS timestamptz) + interval '15 minutes' END
    WHERE id IN (
        SELECT id FROM webhooks WHERE next_lookup_at <= :now ORDER BY next_lookup_at LIMIT :limit
        FOR UPDATE SKIP LOCKED)
    RETURNING id, imp_uid, status
""")

# A look-up right after a payment may not show it yet (seen in client code).
_NOT_CONFIRMED = text("""
    UPDATE webhooks SET outcome_code = :code, outcome_detail = :detail, looked_up_at = :now,
        next_lookup_at = CASE WHEN lookups < :most THEN next_lookup_at END
    WHERE id = :id AND NOT confirmed
""")

_CONFIRMED = text("""
    UPDATE webhooks SET outcome_code = :code, outcome_detail = :detail, looked_up_at = :now, next_lookup_at = NULL,
        confirmed = true
    WHERE id = :id
""")

_PRUNE = text("""
    DELETE FROM webhooks WHERE id IN (
        SELECT id FROM webhooks WHERE received_at < :before AND next_lookup_at IS NULL
        ORDER BY received_at LIMIT :limit FOR UPDATE SKIP LOCKED)
    RETURNING id
""")


@dataclass(frozen=True, slots=True)
class WebhookRow:
    """A stored webhook: the payment that it names, and the status that it claims."""

    id: int
    imp_uid: str
    status: str


@dataclass(frozen=True, slots=True)
class ProcessedWebhook:
    """What a look-up came to. `confirmed`: PortOne shows what the webhook says. `detail` is why it was refused."""

    outcome: WebhookOutcome
    confirmed: bool
    detail: str | None = None


def store(session: Session, said: Mapping[str, str], *, now: datetime, lease: timedelta) -> int | None:
    """Store a webhook, or count one more of it; returns its id when it is to be looked up now, else None."""
    values = {**said, "now": now, "hold_until": now + lease, "lately": now - RECHECK_AFTER}
    row = session.execute(_STORE, values).one()
    return int(row.id) if row.is_due else None


def take(session: Session, *, now: datetime, limit: int) -> list[WebhookRow]:
    """Return webhooks whose look-up is due, such as one that a crash has interrupted, and schedule the one after."""
    return [WebhookRow(*row) for row in session.execute(_TAKE, {"now": now, "limit": limit, "most": MAX_LOOKUPS})]


def record_processed(session: Session, webhook_id: int, processed: ProcessedWebhook, *, now: datetime) -> None:
    """Record what a look-up came to. An unconfirmed webhook is looked up a few times more."""
    detail = None if processed.detail is None else processed.detail[:MAX_DETAIL_LENGTH]
    values = {"id": webhook_id, "code": processed.outcome, "detail": detail, "now": now}
    if processed.confirmed:
        session.execute(_CONFIRMED, values)
    else:
        session.execute(_NOT_CONFIRMED, {**values, "most": MAX_UNCONFIRMED_LOOKUPS})


def prune(session: Session, *, now: datetime, limit: int) -> int:
    """Delete webhooks that were processed long ago; returns how many."""
    return len(session.execute(_PRUNE, {"before": now - RETENTION, "limit": limit}).all())
