"""What a payment window is opened for, and what PortOne's answers prove about it afterwards. Pure.

Nothing that a browser or a webhook says is an argument of these functions.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from schedules.periods import first_start
from schedules.plans import Plan
from worker.domain.gateway import Found, LookUpFailed, NoSuchKey, PaymentRecord, StoredKey
from worker.domain.merchant_uid import parse

WINDOW_LIFE = timedelta(days=1)
"""So long after it was last opened a window is taken to be usable. No PG publishes how long it really is.

Kakao Pay's is said to end after 15 minutes (assumed). What is paid later all the same meets the other barriers: see
`worker.checkout`.
"""

KEY_KEPT = timedelta(days=7)
"""So long after its last window a key that was not put to work is kept: a sweep may still find its payment."""

KEY_ONLY_DIGITS = 14


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a window was opened for. `charged` is what it takes, 0 for a key alone; `shown` is what it displayed.

    Of one order several windows may be open, through `opened_pgs`, and any may pay it; `pg` is that of the key.
    """

    merchant_uid: str
    pg: str
    opened_pgs: frozenset[str]
    charged: int
    shown: int
    currency: str
    customer_uid: str | None = field(repr=False)  # None: no key is registered


@dataclass(frozen=True, slots=True)
class Proved:
    """PortOne shows exactly what was asked for."""

    record: PaymentRecord | None = None
    card: str | None = None  # masked, if the key shows one
    registered_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """Nothing is known yet: the window is open or was left, or PortOne has not even `answered`."""

    reason: str
    answered: bool = True


@dataclass(frozen=True, slots=True)
class Failed:
    """The customer was declined or closed the window; nothing was paid, and they may try again."""

    said: str


@dataclass(frozen=True, slots=True)
class Wrong:
    """PortOne shows something that was not asked for. `moved` when money may have moved with it."""

    sentence: str
    record: PaymentRecord | None = None

    @property
    def moved(self) -> bool:
        return self.record is not None and self.record.amount > 0 and self.record.status == "paid"


Verdict = Proved | Waiting | Failed | Wrong


def judge_payment(expected: Expected, finding: Found | LookUpFailed) -> Verdict:
    """Judge by everything PortOne has under the window's merchant_uid. A paid record is never hidden by another."""
    if isinstance(finding, LookUpFailed):
        return Waiting("PortOne does not answer just now.", answered=False)
    paid = [record for record in finding.records if record.status == "paid"]
    if len(paid) > 1 and expected.charged:
        return Wrong("PortOne shows more than one payment for this order; a person has to look at it.", paid[0])
    if paid:
        wrong = mismatch(expected, paid[0])
        return Proved(paid[0]) if wrong is None else Wrong(wrong, paid[0])
    if any(record.status == "cancelled" for record in finding.records):
        return Wrong("The payment was made and given back; ask for a new link.")
    failed = [record for record in finding.records if record.status == "failed"]
    if finding.records and finding.records[0].status == "failed":
        return Failed(failed[0].fail_reason or "")
    return Waiting("Nothing was paid or registered yet.")


def mismatch(expected: Expected, record: PaymentRecord) -> str | None:
    """Say how a payment differs from what was asked for; None when it does not."""
    if record.merchant_uid != expected.merchant_uid:
        return "The payment belongs to another order."
    if record.odd is not None:
        return f"PortOne shows {record.odd}; a person has to look at it."
    # A key alone costs nothing; of one PG's the record has the amount that its window showed (documented).
    amounts = {expected.charged} if expected.charged else {0, expected.shown}
    if record.amount not in amounts or record.currency != expected.currency:
        asked = f"{expected.charged:,} {expected.currency}"
        return f"The payment is over {record.amount:,} {record.currency}, and {asked} was asked for."
    return paid_otherwise(record, opened_pgs=expected.opened_pgs, customer_uid=expected.customer_uid)


def paid_otherwise(record: PaymentRecord, *, opened_pgs: frozenset[str], customer_uid: str | None) -> str | None:
    """Say that a payment came through another PG than windows were opened for, or with another key; None: it did not.

    A `customer_uid` is that of the key which its window registers.
    """
    if customer_uid is not None and record.customer_uid not in {None, customer_uid}:
        return "The payment was made with another billing key."
    provider = record.raw.get("pg_provider")
    if provider is not None and opened_pgs and provider not in opened_pgs:
        return f"The payment was made through {provider!r:.20}, and {' or '.join(sorted(opened_pgs))} was asked for."
    return None


def judge_key(expected: Expected, answer: StoredKey | NoSuchKey | LookUpFailed) -> Verdict:
    """Judge by what PortOne has stored under the customer_uid, which was drawn for this window alone."""
    if isinstance(answer, LookUpFailed):
        return Waiting("PortOne does not answer just now.", answered=False)
    if isinstance(answer, NoSuchKey):
        return Waiting("PortOne shows no billing key yet.")
    if answer.pg != expected.pg:
        return Wrong(f"The billing key was made through {answer.pg!r:.20}, and {expected.pg} was asked for.")
    return Proved(card=answer.card, registered_at=answer.registered_at)


def belongs(expected: Expected, finding: Found) -> bool:
    """Say whether what a browser named by its imp_uid is a payment of this very window."""
    return all(record.merchant_uid == expected.merchant_uid for record in finding.records)


def key_only_uid(prefix: str, subscription_code: str, drawn: int) -> str:
    """Make the merchant_uid of a window that registers a key alone: no attempt's, for no attempt has the number 0."""
    merchant_uid = f"{prefix}{subscription_code}{drawn % 10**KEY_ONLY_DIGITS:0{KEY_ONLY_DIGITS}d}000"
    assert parse(merchant_uid) is None, "it would be taken for a period's payment"
    return merchant_uid


def anchor_of(plan: Plan, planned_on: date, *, now: datetime) -> date:
    """Say from which day a subscription counts whose first key comes now: no earlier than today, and after its trial.

    `planned_on` is the anchor it was to have. Whoever registers late has had nothing, so nothing of that is charged.
    """
    trial = timedelta(days=plan.trial_days)
    today = now.astimezone(plan.time_zone).date()
    return max(planned_on, today + trial)


def starts_now(plan: Plan, anchor_on: date, *, now: datetime) -> bool:
    """Say whether the first period is today's, so that it is charged at once, be it before the plan's hour."""
    start = first_start(plan, anchor_on)
    today = now.astimezone(plan.time_zone).date()
    return not plan.trial_days and start.astimezone(plan.time_zone).date() <= today


def vat_of(amount: int, tax_free: int, vat_amount: int | None) -> int:
    """Give the VAT in an amount; where it is left to PortOne, an eleventh of what is taxed (documented)."""
    return round((amount - tax_free) / 11) if vat_amount is None else vat_amount
