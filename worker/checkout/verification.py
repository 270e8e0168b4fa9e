"""What a payment window was opened for, and what PortOne's answers prove about it. Pure.

Nothing that a browser or a webhook says is an argument of these functions.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from worker.domain.gateway import Found, LookUpFailed, NoSuchKey, PaymentRecord, StoredKey
from worker.domain.window_evidence import paid_otherwise


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a window was opened for. `charged` is what it takes, 0 for a key alone; `shown` is what it displayed.

    An order may have several windows open, through `opened_pgs`, and any of them may pay it; `pg` is that of the key.
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


PaymentVerdict = Proved | Waiting | Failed | Wrong


def judge_payment(expected: Expected, finding: Found | LookUpFailed) -> PaymentVerdict:
    """Judge by everything PortOne has under the window's merchant_uid. A paid record is never hidden by another."""
    if isinstance(finding, LookUpFailed):
        return Waiting("PortOne does not answer just now.", answered=False)
    paid = [record for record in finding.records if record.status == "paid"]
    if len(paid) > 1 and expected.charged:
        return Wrong("PortOne shows more than one payment for this order; an operator has to look at it.", paid[0])
    if paid:
        wrong = mismatch(expected, paid[0])
        return Proved(paid[0]) if wrong is None else Wrong(wrong, paid[0])
    if any(record.status == "cancelled" for record in finding.records):
        return Wrong("The payment was made and refunded; ask for a new link.")
    failed = [record for record in finding.records if record.status == "failed"]
    if finding.records and finding.records[0].status == "failed":
        return Failed(failed[0].fail_reason or "")
    return Waiting("Nothing was paid or registered yet.")


def mismatch(expected: Expected, record: PaymentRecord) -> str | None:
    """Return how a payment differs from what was asked for; None when it does not."""
    if record.merchant_uid != expected.merchant_uid:
        return "The payment belongs to another order."
    if record.odd is not None:
        return f"PortOne shows {record.odd}; an operator has to look at it."
    # A key alone costs nothing; of one PG's the record has the amount that its window showed (documented).
    amounts = {expected.charged} if expected.charged else {0, expected.shown}
    if record.amount not in amounts or record.currency != expected.currency:
        asked = f"{expected.charged:,} {expected.currency}"
        return f"The payment is over {record.amount:,} {record.currency}, and {asked} was asked for."
    return paid_otherwise(record, opened_pgs=expected.opened_pgs, customer_uid=expected.customer_uid)


def judge_key(expected: Expected, answer: StoredKey | NoSuchKey | LookUpFailed) -> PaymentVerdict:
    """Judge by what PortOne has stored under the customer_uid, which was drawn for this order alone."""
    if isinstance(answer, LookUpFailed):
        return Waiting("PortOne does not answer just now.", answered=False)
    if isinstance(answer, NoSuchKey):
        return Waiting("PortOne shows no billing key yet.")
    if answer.pg != expected.pg:
        return Wrong(f"The billing key was made through {answer.pg!r:.20}, and {expected.pg} was asked for.")
    return Proved(card=answer.card, registered_at=answer.registered_at)
