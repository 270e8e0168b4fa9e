"""The charges of a subscription: what is owed, unpaid and paid, defined once; locked, listed and counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from worker.domain.states import ChargeStatus

OWED = "c.status IN ('due', 'charging', 'past_due')"
"""The condition that a charge `c` is owed: it is neither paid, nor given up, nor void.

It does not matter what it waits for: its first try, its dunning day, its key's next month, another key, or consent. One
that is under way is owed too: it is paid by that, or once more owed, and either way it is paid once.
"""

_HAS_LOST_ITS_KEY = """EXISTS (
    SELECT FROM subscriptions o LEFT JOIN billing_keys k ON k.id = o.billing_key_id
    WHERE o.id = c.subscription_id AND o.status <> 'pending' AND k.status IS DISTINCT FROM 'active')"""

_WAITS_FOR_A_MONTH = """EXISTS (
    SELECT FROM attempts soft
    WHERE soft.charge_id = c.id AND soft.status = 'declined' AND soft.decline_kind = 'soft')"""

PAYABLE_BY_HAND = f"""(c.status IN ('past_due', 'uncollectible')
    OR c.status = 'due' AND (c.awaits_consent_since IS NOT NULL OR {_WAITS_FOR_A_MONTH} OR {_HAS_LOST_ITS_KEY}))"""
"""The condition that a charge `c` can be paid in a window: it is owed or was given up, and is not about to be charged.

Other soft declines than a spent month leave no charge `due`.
"""

_DECLINED_BY_ITS_KEY = """(
    SELECT a.billing_key_id FROM attempts a WHERE a.charge_id = c.id AND a.status = 'declined'
    ORDER BY a.number DESC LIMIT 1) = s.billing_key_id"""

UNPAID = f"""CASE WHEN s.status = 'past_due' OR k.status IS DISTINCT FROM 'active' THEN (
    SELECT count(*) FROM charges c
    WHERE c.subscription_id = s.id AND {OWED}
      AND (k.status IS DISTINCT FROM 'active' OR c.awaits_consent_since IS NOT NULL
           OR c.declines > 0 AND {_DECLINED_BY_ITS_KEY})) + (
    SELECT count(*) FROM (
        SELECT id, status FROM charges
        WHERE subscription_id = s.id AND period_start > COALESCE((
            SELECT paid.period_start FROM charges paid WHERE paid.subscription_id = s.id AND paid.status = 'paid'
            ORDER BY paid.period_start DESC LIMIT 1), '-infinity')
        OFFSET 0) c  -- by subscription, of which there is one, and not by status
    WHERE c.status = 'uncollectible' AND (k.status IS DISTINCT FROM 'active' OR {_DECLINED_BY_ITS_KEY}))
    ELSE 0 END"""  # noqa: S608 - constants only
"""How many charges of a subscription `s` with the key `k` are unpaid, and will be until something is done about it.

Behind a key that is dead these are all that are open; else those that this key has declined, or that wait for consent.
What was given up counts until a later period is paid. What is due and about to be charged is none of them, however late
it is: an outage of ours is caught up with.
"""

PAID_UNTIL = """(
    SELECT c.period_end FROM charges c
    WHERE c.subscription_id = s.id AND c.status = 'paid' AND c.refunded < c.amount
    ORDER BY c.period_start DESC LIMIT 1)"""
"""Until when a subscription `s` is paid: the end of its last paid period. What was refunded in full is not paid."""

_OPEN = text(f"""
    SELECT c.period_start, c.amount, c.awaits_consent_since IS NOT NULL AS awaits_consent,
           c.status = 'charging' AS under_way
    FROM charges c WHERE c.subscription_id = :id AND {OWED}
    ORDER BY c.period_start
""")  # noqa: S608 - constants only

# A charge in flight is waited for here, should it be about to be written back, and then left as that decided.
_LOCK = text("""
    SELECT c.id FROM charges c JOIN subscriptions s ON s.id = c.subscription_id
    WHERE s.code = :code AND c.status IN ('due', 'charging', 'past_due')
    ORDER BY c.id
    FOR UPDATE OF c
""")

_WAITING = text("SELECT id FROM charges WHERE subscription_id = :id AND status IN ('due', 'past_due') ORDER BY id")

_IN_FLIGHT = text("SELECT count(*) FROM charges WHERE subscription_id = :id AND status = 'charging'")

# What a window was opened to pay, or has paid, before there was a key. One that came to nothing is `due`, or void.
_FIRST = text("""
    SELECT id, status, period_start, period_end, status = 'paid' AND refunded >= amount AS is_refunded FROM charges
    WHERE subscription_id = :id AND status <> 'void'
    ORDER BY period_start DESC LIMIT 1
""")


@dataclass(frozen=True, slots=True)
class OwedPeriod:
    """One period that is owed, opened or not: a charge is known by its period for ever."""

    period_start: datetime
    amount: int
    awaits_consent: bool = False
    under_way: bool = False  # sent already, or in a payment window: charged again only if that comes to nothing


@dataclass(frozen=True, slots=True)
class FirstCharge:
    """The charge that a pending subscription has already."""

    id: int
    status: ChargeStatus
    period_start: datetime
    period_end: datetime
    is_refunded: bool  # in full


def owed_charges(session: Session, subscription_id: int) -> Sequence[OwedPeriod]:
    """Return the open charges of a subscription that are owed, the oldest first."""
    return [OwedPeriod(**row._mapping) for row in session.execute(_OPEN, {"id": subscription_id})]  # noqa: SLF001 - public


def lock_open_charges(session: Session, code: str) -> None:
    """Lock the open charges of a subscription. Call it before locking the subscription, or a write-back may deadlock.

    After it, no write-back is half done: an outcome is either visible already, or meets what this transaction decides.
    """
    session.execute(_LOCK, {"code": code})


def waiting_charges(session: Session, subscription_id: int) -> Sequence[int]:
    """Return the ids of the charges that a subscription owes and that are not in flight."""
    return session.scalars(_WAITING, {"id": subscription_id}).all()


def charges_in_flight(session: Session, subscription_id: int) -> int:
    """Count the charges of a subscription that are in flight."""
    return int(session.scalar(_IN_FLIGHT, {"id": subscription_id}) or 0)


def first_charge(session: Session, subscription_id: int) -> FirstCharge | None:
    """Return the charge that a pending subscription has already, if a window was opened to pay it."""
    row = session.execute(_FIRST, {"id": subscription_id}).one_or_none()
    return None if row is None else FirstCharge(**{**row._mapping, "status": ChargeStatus(row.status)})  # noqa: SLF001 - public
