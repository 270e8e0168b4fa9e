"""What customers have agreed to, written once; and what no consent covers, or gives up, so that nothing charges it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from schedules.end_of_dunning import GivenUpAs
from worker.database.bulk import as_rows
from worker.domain.shown_terms import ShownTerms
from worker.domain.states import ConsentSource
from worker.ledger import consent_gate, consent_terms
from worker.ledger.charges import OWED, OwedPeriod, owed_charges
from worker.ledger.giving_up import give_up
from worker.ledger.subscription_status import settle_subscriptions
from worker.ledger.terms import OWN_AMOUNT, OWN_PLAN
from worker.ledger.waking import ChargedNow, wake_agreed

_ADD = text(f"""
    INSERT INTO consents (subscription_id, checkout_id, billing_key_id, source, wording, terms_id, amount, currency,
                          cadence, next_charge_at, due_now, periods, given_up, agreed_at)
    SELECT :subscription_id, :checkout_id, :billing_key_id, :source, :wording, :terms_id, {OWN_AMOUNT}, p.currency,
           p.cadence, :next_charge_at, :due_now, CAST(:periods AS jsonb), CAST(:given_up AS jsonb), :now
    FROM subscriptions s {OWN_PLAN} WHERE s.id = :subscription_id
    RETURNING id, agreed_at
""")  # noqa: S608 - constants only

# No key and no period of its own: what falls due later costs this.
_TO_CHANGE = text("""
    INSERT INTO consents (subscription_id, billing_key_id, source, wording, terms_id, amount, currency, cadence,
                          next_charge_at, due_now, periods, agreed_at)
    SELECT s.id, NULL, :source, :wording, :terms_id, :amount, p.currency, p.cadence, :effective_at, 0, '[]', :now
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

_GIVEN_UP = text("""
    SELECT c.id, p.dunning_end_charges AS given_up, p.arrears
    FROM consents t CROSS JOIN jsonb_to_recordset(t.given_up) AS v(period_start timestamptz)
    JOIN charges c ON c.subscription_id = t.subscription_id AND c.period_start = v.period_start
    JOIN subscriptions s ON s.id = c.subscription_id JOIN plans p ON p.id = s.plan_id
    WHERE t.id = :consent_id AND c.status IN ('due', 'past_due')
""")

# What was in flight when its subscription was given another key is withheld from that. By the id of each charge, and
# then by what is in its own row: statistics must not choose to read all consents.
_RETURNED = text("""
    SELECT c.id, p.dunning_end_charges AS given_up, p.arrears
    FROM unnest(CAST(:ids AS bigint[])) AS returned(id)
    CROSS JOIN LATERAL (SELECT * FROM charges WHERE id = returned.id OFFSET 0) c
    CROSS JOIN LATERAL (SELECT * FROM subscriptions WHERE id = c.subscription_id OFFSET 0) s
    CROSS JOIN LATERAL (SELECT * FROM plans WHERE id = s.plan_id OFFSET 0) p
    WHERE c.awaits_consent_since IS NOT NULL AND EXISTS (
        SELECT FROM consents t CROSS JOIN jsonb_to_recordset(t.given_up) AS v(period_start timestamptz)
        WHERE t.subscription_id = c.subscription_id AND v.period_start = c.period_start OFFSET 0)
""")


_TO_ITS_KEY = "t.subscription_id = c.subscription_id AND t.billing_key_id = s.billing_key_id"

NOT_AGREED = f"""(EXISTS (SELECT FROM consents t WHERE {_TO_ITS_KEY} AND t.agreed_at >= c.period_start)
    AND NOT EXISTS (
        SELECT FROM consents t
        WHERE {_TO_ITS_KEY} AND (c.period_start > t.agreed_at OR EXISTS (
            SELECT FROM jsonb_to_recordset(t.periods) AS v(period_start timestamptz, amount bigint)
            WHERE v.period_start = c.period_start AND v.amount = c.amount))))"""  # noqa: S608 - constants only
"""The condition that the customer gave a key to a subscription `s` after a charge `c` began, and agreed to others only.

What was owed then waits for consent. What had been given up did not, and must not be collected from that key.
"""


@dataclass(frozen=True, slots=True)
class Consent:
    """What a customer has agreed to, as it was written down."""

    id: int
    agreed_at: datetime


def add(
    session: Session,
    values: Mapping[str, Any],
    periods: Sequence[OwedPeriod],
    given_up: Sequence[OwedPeriod] = (),
    *,
    terms: ShownTerms | None = None,
    now: datetime,
) -> Consent:
    """Write a consent down, with each period that it lets be charged at once, and those that are given up with it.

    `terms` are those that the customer was shown, where they are known: they are kept word by word.
    """
    values = {**values, "terms_id": consent_terms.keep(session, values["wording"], terms, now=now)}
    listed = {"periods": _listed(periods), "given_up": _listed(given_up)}
    due_now = sum(each.amount for each in periods)
    row = session.execute(_ADD, {**values, **listed, "due_now": due_now, "now": now}).one()
    consent_gate.judge_held_of(session, values["subscription_id"], now=now)
    return Consent(row.id, row.agreed_at)


def _listed(periods: Iterable[OwedPeriod]) -> str:
    return as_rows({"period_start": each.period_start, "amount": each.amount} for each in periods)


def to_change(
    session: Session,
    subscription_id: int,
    *,
    amount: int,
    effective_at: datetime,
    source: ConsentSource,
    wording: str,
    terms: ShownTerms | None = None,
    now: datetime,
) -> Consent:
    """Write down what later periods may cost, in won, from an instant on; with the terms that were shown, if known."""
    values = {"subscription_id": subscription_id, "amount": amount, "effective_at": effective_at}
    values["terms_id"] = consent_terms.keep(session, wording, terms, now=now)
    row = session.execute(_TO_CHANGE, {**values, "source": source, "wording": wording, "now": now}).one()
    consent_gate.judge_held_of(session, subscription_id, now=now)
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
    those are the recurring terms that were agreed to. Without a consent nothing is listed. What the consent gives up
    becomes what the plan says; one that is under way does so once it comes back unpaid.
    """
    if consent is not None:
        _give_up(session, subscription_id, consent, now)
    agreed = {"id": subscription_id, "consent_id": None if consent is None else consent.id, "now": now}
    session.execute(_WITHHOLD, {**agreed, "agreed_at": agreed_at})
    session.execute(_RELEASE, agreed)
    consent_gate.judge_held_of(session, subscription_id, now=now)
    return wake_agreed(session, subscription_id, now=now)


def give_up_returned(session: Session, charge_ids: Collection[int], *, now: datetime) -> None:
    """Let go those of the charges, back from an attempt and unpaid, that the new key is not charged with as agreed."""
    _as_planned(session, session.execute(_RETURNED, {"ids": sorted(charge_ids)}).all(), now)


def _give_up(session: Session, subscription_id: int, consent: Consent, now: datetime) -> None:
    """Let go what a consent gives up; a subscription that owes nothing else by now is past due no more."""
    given_up = _as_planned(session, session.execute(_GIVEN_UP, {"consent_id": consent.id}).all(), now)
    if given_up and not owed_charges(session, subscription_id):
        reason = "what was unpaid is given up by its plan's terms"
        settle_subscriptions(session, [subscription_id], reason=reason, now=now)


def _as_planned(session: Session, rows: Sequence[Row[Any]], now: datetime) -> int:
    given_up = 0
    for planned in {(row.given_up, row.arrears) for row in rows}:
        ids = [row.id for row in rows if (row.given_up, row.arrears) == planned]
        reason = f"not charged to the new billing key, as agreed: of what is unpaid it pays {planned[1]}"
        given_up += give_up(session, ids, GivenUpAs(planned[0]), reason=reason, now=now)
    return given_up
