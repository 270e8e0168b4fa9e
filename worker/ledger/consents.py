"""What customers have agreed to, written once; and what no consent covers, so that nothing charges it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from worker.database.bulk import as_rows
from worker.ledger.charges import OWED
from worker.ledger.waking import ChargedNow, wake_agreed

_ADD = text("""
    INSERT INTO consents (subscription_id, checkout_id, billing_key_id, source, wording, amount, currency, cadence,
                          next_charge_at, due_now, periods, agreed_at)
    SELECT :subscription_id, :checkout_id, :billing_key_id, :source, :wording, p.amount, p.currency, p.cadence,
           :next_charge_at, :due_now, CAST(:periods AS jsonb), :now
    FROM subscriptions s JOIN plans p ON p.id = s.plan_id WHERE s.id = :subscription_id
    RETURNING id, agreed_at
""")

_NEWEST = text("SELECT id, agreed_at FROM consents WHERE checkout_id = :id ORDER BY id DESC LIMIT 1")

_AGREED = """EXISTS (
    SELECT FROM consents t CROSS JOIN jsonb_to_recordset(t.periods) AS v(period_start timestamptz, amount bigint)
    WHERE t.id = CAST(:consent_id AS bigint) AND v.period_start = c.period_start AND v.amount = c.amount)"""

# One under way too: should it come back unpaid, the customer has not agreed to pay it by another key.
_WITHHOLD = text(f"""
    UPDATE charges c SET awaits_consent_since = CAST(:now AS timestamptz)
    WHERE c.subscription_id = :id AND {OWED}
      AND c.period_start <= :agreed_at AND c.awaits_consent_since IS NULL AND NOT {_AGREED}
""")  # noqa: S608 - constants only

_RELEASE = text(f"""
    UPDATE charges c SET awaits_consent_since = NULL
    WHERE c.subscription_id = :id AND c.awaits_consent_since IS NOT NULL AND {_AGREED}
""")  # noqa: S608 - constants only


@dataclass(frozen=True, slots=True)
class Consent:
    """What a customer has agreed to, as it was written down."""

    id: int
    agreed_at: datetime


def add(
    session: Session,
    values: Mapping[str, Any],
    periods: Iterable[tuple[datetime, int]],
    *,
    now: datetime,
) -> Consent:
    """Write a consent down, with the start and the amount of each period that it lets be charged at once."""
    listed = list(periods)
    rows = as_rows({"period_start": start, "amount": amount} for start, amount in listed)
    due_now = sum(amount for _, amount in listed)
    row = session.execute(_ADD, {**values, "periods": rows, "due_now": due_now, "now": now}).one()
    return Consent(row.id, row.agreed_at)


def newest(session: Session, checkout_id: int) -> Consent | None:
    """Return the consent that was given last with a checkout; None for one that a restored backup has forgotten."""
    row = session.execute(_NEWEST, {"id": checkout_id}).one_or_none()
    return None if row is None else Consent(row.id, row.agreed_at)


def charge_what_was_agreed(
    session: Session, subscription_id: int, consent: Consent | None, *, agreed_at: datetime, now: datetime
) -> ChargedNow:
    """Let the new key of a locked subscription be charged with what its consent lists, and with nothing else now.

    What is open and not listed waits for another consent. What began after the consent is charged as it falls due:
    those are the recurring terms that were agreed to. Without a consent nothing is listed.
    """
    agreed = {"id": subscription_id, "consent_id": None if consent is None else consent.id, "now": now}
    session.execute(_WITHHOLD, {**agreed, "agreed_at": agreed_at})
    session.execute(_RELEASE, agreed)
    return wake_agreed(session, subscription_id, now=now)
