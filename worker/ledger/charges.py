"""The charges of a subscription: what is owed, unpaid and paid, defined once; locked, listed and counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from worker.domain.states import ChargeStatus

OWED = "c.status IN ('due', 'charging', 'past_due')"
"""The condition that a charge `c` is owed: it is neither paid, nor given up, nor void.

It does not matter what it waits for: its first try, its dunning day, its key's next month, another key, or consent. One
that is under way is owed too: it is paid by that, or once more owed, and either way it is paid once.
"""

NOT_IN_FLIGHT = """NOT EXISTS (
    SELECT FROM attempts a WHERE a.charge_id = c.id AND a.status IN ('started', 'unknown') OFFSET 0)"""
"""The condition that no attempt of a charge `c` is open: no outcome is unknown, and no payment window may pay it.

Of a charge that was given up, its status does not tell: a payment window leaves it as it is.
"""

_HAS_LOST_ITS_KEY = """EXISTS (
    SELECT FROM subscriptions o LEFT JOIN billing_keys k ON k.id = o.billing_key_id
    WHERE o.id = c.subscription_id AND o.status <> 'pending' AND k.status IS DISTINCT FROM 'active')"""

_WAITS_FOR_A_MONTH = """EXISTS (
    SELECT FROM attempts soft
    WHERE soft.charge_id = c.id AND soft.status = 'declined' AND soft.decline_kind = 'soft')"""

PAYABLE_BY_HAND = f"""(c.status IN ('past_due', 'uncollectible')
    OR c.status = 'due' AND (c.awaits_consent_since IS NOT NULL OR c.gate_held_since IS NOT NULL
                             OR {_WAITS_FOR_A_MONTH} OR {_HAS_LOST_ITS_KEY}))"""
"""The condition that a charge `c` can be paid in a window: it is owed or was given up, and is not about to be charged.

Other soft declines than a spent month leave no charge `due`.
"""

_FIRST_START = """COALESCE((
    SELECT c.period_start FROM charges c WHERE c.subscription_id = s.id ORDER BY c.period_start LIMIT 1),
    s.next_charge_at)"""

DECLINED_BY_ITS_KEY = """(
    SELECT a.billing_key_id FROM attempts a WHERE a.charge_id = c.id AND a.status = 'declined'
    ORDER BY a.number DESC LIMIT 1) = s.billing_key_id"""
"""The condition that a charge `c` was declined last by the key that its subscription `s` has still."""

_IS_HELD_BY_GATE = """EXISTS (
    SELECT FROM charges held WHERE held.subscription_id = s.id AND held.gate_held_since IS NOT NULL OFFSET 0)"""

UNPAID = f"""CASE WHEN s.status = 'past_due' OR k.status IS DISTINCT FROM 'active' OR {_IS_HELD_BY_GATE} THEN (
    SELECT count(*) FROM charges c
    WHERE c.subscription_id = s.id AND {OWED}
      AND (k.status IS DISTINCT FROM 'active' OR c.awaits_consent_since IS NOT NULL
           OR c.gate_held_since IS NOT NULL OR c.declines > 0 AND {DECLINED_BY_ITS_KEY})) + (
    SELECT count(*) FROM (
        SELECT id, status FROM charges
        WHERE subscription_id = s.id AND period_start > COALESCE((
            SELECT paid.period_start FROM charges paid WHERE paid.subscription_id = s.id AND paid.status = 'paid'
            ORDER BY paid.period_start DESC LIMIT 1), '-infinity')
        OFFSET 0) c  -- by subscription, of which there is one, and not by status
    WHERE c.status = 'uncollectible' AND (k.status IS DISTINCT FROM 'active' OR {DECLINED_BY_ITS_KEY}))
    ELSE 0 END"""  # noqa: S608 - constants only
"""How many charges of a subscription `s` with the key `k` are unpaid, and will be until something is done about it.

Behind a key that is dead these are all that are open; else those that this key has declined, that wait for consent, or
that the consent gate holds. What was given up counts until a later period is paid. What is due and about to be charged
is none of them, however late it is: an outage of ours is caught up with.
"""

PAID_UNTIL = """(
    SELECT LEAST(c.period_end, (
        SELECT min(r.ends_at) FROM refunds r WHERE r.charge_id = c.id AND r.status = 'completed'))
    FROM charges c
    WHERE c.subscription_id = s.id AND c.status = 'paid' AND (c.refunded < c.amount OR c.amount = 0)
    ORDER BY c.period_start DESC LIMIT 1)"""
"""Until when a subscription `s` is paid: the end of its last paid period. What was refunded in full is not paid.

A refund by unused days ends the paid time with the day from which on they were refunded.
A period for which nothing was to be charged is paid.
"""

ACCESS_UNTIL = f"""(COALESCE({PAID_UNTIL}, CASE
    WHEN s.status <> 'pending' AND (p.trial_days > 0 OR {_FIRST_START} > s.created_at + interval '1 day')
    THEN {_FIRST_START} END)
    + CASE WHEN s.status IN ('active', 'past_due') THEN p.grace_days ELSE 0 END * interval '1 day')"""
"""Until when a host gives the customer of a subscription `s` on the plan `p` what it sells, unless that goes on.

Until the end of what is paid and, while it is billed, of the plan's grace: days of 24 hours. Where nothing was paid
here yet, the beginning of its first period stands for it, if that comes a while after it was added: the end of its
trial, or of what was paid elsewhere. NULL where there was nothing that could go on.
"""

_OPEN = text(f"""
    SELECT c.period_start, c.amount, c.awaits_consent_since IS NOT NULL AS awaits_consent,
           c.status = 'charging' AS under_way,
           c.declines > 0 OR c.awaits_consent_since IS NOT NULL OR c.gate_held_since IS NOT NULL
               OR {_HAS_LOST_ITS_KEY} AS unpaid
    FROM charges c WHERE c.subscription_id = :id AND {OWED}
    ORDER BY c.period_start
""")  # noqa: S608 - constants only

# A charge in flight is waited for here, should it be about to be written back, and then left as that decided.
# With them, in the order of their ids, those that an act is about or is scheduled for, whatever their status.
# Each by its subscription, as a value and not by a join, whose order statistics would decide.
_LOCK = text("""
    WITH its AS (SELECT id FROM subscriptions WHERE code = :code)
    SELECT c.id FROM charges c
    WHERE c.id = ANY(ARRAY(
        SELECT id FROM charges
        WHERE subscription_id = (SELECT id FROM its) AND status IN ('due', 'charging', 'past_due')
        UNION
        SELECT charge_id FROM changes
        WHERE subscription_id = (SELECT id FROM its) AND status = 'scheduled' AND charge_id IS NOT NULL
        UNION
        (SELECT id FROM charges
         WHERE subscription_id = (SELECT id FROM its) AND status = 'paid' ORDER BY period_start DESC LIMIT 1)
        UNION
        SELECT CAST(:besides AS bigint)))
    ORDER BY c.id
    FOR UPDATE
""")

_OWNER = text("SELECT s.code FROM charges c JOIN subscriptions s ON s.id = c.subscription_id WHERE c.id = :id")

_WAITING = text("SELECT id FROM charges WHERE subscription_id = :id AND status IN ('due', 'past_due') ORDER BY id")

_WAITING_SUM = text("""
    SELECT COALESCE(sum(amount), 0) FROM charges WHERE subscription_id = :id AND status IN ('due', 'past_due')
""")

_OPENED_LATE = text("""
    SELECT EXISTS (
        SELECT FROM charges
        WHERE subscription_id = :id AND status IN ('due', 'charging') AND declines = 0
          AND created_at >= :since AND created_at > :patience)
""")

_IN_FLIGHT = text("SELECT count(*) FROM charges WHERE subscription_id = :id AND status = 'charging'")

# What a window was opened to pay, or has paid, before there was a key. One that came to nothing is `due`, or void.
_FIRST = text("""
    SELECT id, status, period_start, period_end, amount,
           status = 'paid' AND refunded >= amount AND amount > 0 AS is_refunded
    FROM charges
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
    unpaid: bool = False  # declined, behind a dead key, or waiting for consent: not about to be charged


@dataclass(frozen=True, slots=True)
class FirstCharge:
    """The charge that a pending subscription has already."""

    id: int
    status: ChargeStatus
    period_start: datetime
    period_end: datetime
    amount: int
    is_refunded: bool  # in full

    @property
    def unpaid_id(self) -> int | None:
        """Its id where a window has left it unpaid: it becomes void if the subscription begins on another day."""
        return self.id if self.status is ChargeStatus.DUE else None


def owed_charges(session: Session, subscription_id: int) -> Sequence[OwedPeriod]:
    """Return the open charges of a subscription that are owed, the oldest first."""
    return [OwedPeriod(**row._mapping) for row in session.execute(_OPEN, {"id": subscription_id})]  # noqa: SLF001 - public


def lock_open_charges(session: Session, code: str, *, besides: int | None = None) -> None:
    """Lock the charges of a subscription that are open, that changes are scheduled for, the newest paid, and `besides`.

    Call it before locking the subscription, or a write-back may deadlock, or a sweep that notes a refund of the paid
    one. After it, no write-back is half done: an outcome is either visible already, or meets what this transaction
    decides.
    """
    session.execute(_LOCK, {"code": code, "besides": besides})


def owner_of(session: Session, charge_id: int) -> str | None:
    """Return the code of the subscription of a charge; None for an unknown charge."""
    code: str | None = session.scalar(_OWNER, {"id": charge_id})
    return code


def waiting_sum(session: Session, subscription_id: int) -> int:
    """Return what the charges that a subscription owes, and that are not in flight, come to, in won."""
    return int(session.scalar(_WAITING_SUM, {"id": subscription_id}) or 0)


def opened_late(session: Session, subscription_id: int, *, since: datetime, now: datetime, within: timedelta) -> bool:
    """Return whether a charge that was opened since an instant, and not longer ago than `within`, is still untried."""
    return bool(session.scalar(_OPENED_LATE, {"id": subscription_id, "since": since, "patience": now - within}))


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
