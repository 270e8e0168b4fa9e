"""The terms of consents: each text once, whole and for good; and what was agreed to, to be shown years later."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from worker.domain.shown_terms import ShownTerms
from worker.domain.states import ConsentSource

_KEEP = text("""
    INSERT INTO consent_terms (digest, wording, shown, withdrawal, first_shown_at)
    VALUES (:digest, :wording, :shown, :withdrawal, :now)
    ON CONFLICT (digest) DO NOTHING
    RETURNING id
""")

_KEPT = text("SELECT id FROM consent_terms WHERE digest = :digest")

_LISTED = """
    SELECT t.id, s.code AS subscription, t.source, t.wording, t.amount, t.currency, t.cadence, t.next_charge_at,
           t.due_now, t.periods, t.given_up, t.billing_key_id, t.agreed_at, t.agreed_by, p.time_zone,
           m.shown, m.withdrawal
    FROM consents t JOIN subscriptions s ON s.id = t.subscription_id JOIN plans p ON p.id = s.plan_id
    LEFT JOIN consent_terms m ON m.id = t.terms_id
"""

_OF_SUBSCRIPTION = text(f"""
    {_LISTED} WHERE t.subscription_id = (SELECT id FROM subscriptions WHERE code = :code)
    ORDER BY t.agreed_at DESC, t.id DESC LIMIT :limit
""")  # noqa: S608 - constants only

_ONE = text(f"{_LISTED} WHERE t.id = :id")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptConsent:
    """One consent as it was given. `shown` and `withdrawal` are None where only the name of the text was handed in."""

    id: int
    subscription: str
    source: ConsentSource
    wording: str
    amount: int  # of every later period, in won
    currency: str
    cadence: str
    next_charge_at: datetime | None
    due_now: int
    periods: Sequence[Any]
    given_up: Sequence[Any]
    billing_key_id: int | None
    agreed_at: datetime
    agreed_by: str
    time_zone: str
    shown: str | None
    withdrawal: str | None


def keep(session: Session, wording: str, terms: ShownTerms | None, *, now: datetime) -> int | None:
    """Keep what a customer was shown, and return its id; None where that was not handed in."""
    if terms is None:
        return None
    digest = terms.digest(wording)
    values = {"digest": digest, "wording": wording, "shown": terms.text, "withdrawal": terms.withdrawal, "now": now}
    known = session.scalar(_KEPT, values) or session.scalar(_KEEP, values) or session.scalar(_KEPT, values)
    assert isinstance(known, int), "it was there, or has been added, by this transaction or another one"
    return known


def consents_of(session: Session, code: str, *, limit: int) -> Sequence[KeptConsent]:
    """Return the consents of a subscription, the newest first."""
    return [_consent(row) for row in session.execute(_OF_SUBSCRIPTION, {"code": code, "limit": limit})]


def consent(session: Session, consent_id: int) -> KeptConsent | None:
    """Return one consent by its id."""
    row = session.execute(_ONE, {"id": consent_id}).one_or_none()
    return None if row is None else _consent(row)


def _consent(row: Any) -> KeptConsent:
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for a row as a mapping
    return KeptConsent(**{**values, "source": ConsentSource(row.source)})
