"""Attempts that customers make in payment windows: committed before a window can open, found by merchant_uid."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from worker.database.mapping import KNOWN_ATTEMPT, OF_AN_ATTEMPT, known_attempt
from worker.domain.attempt import Attempt
from worker.domain.blockers import Blocker
from worker.domain.states import AttemptStatus, ChargeStatus, Via
from worker.domain.stop_scopes import EVERYTHING
from worker.domain.window_evidence import WINDOW_LIFE
from worker.ledger.blockers import CONDITIONS
from worker.ledger.charges import PAYABLE_BY_HAND
from worker.ledger.claiming import CLAIM_ADVISORY_LOCK
from worker.ledger.queues import MAY_HAVE_LOST_WINDOWS
from worker.ledger.subscription_holds import BY_THEMSELVES

# No pump claims it and no other window opens for it meanwhile. Locked by a statement of its own: one that waits for the
# lock sees the charge as it is then, and all else as it was before.
_LOCK_CHARGE = text("SELECT FROM charges WHERE id = :id FOR UPDATE")

# While there is no key a first period has one number only, so no other window of it can have been forgotten.
_CHARGE = text(f"""
    SELECT c.id, c.status, {PAYABLE_BY_HAND} AS is_payable, c.next_attempt_at, c.period_start, c.period_end, c.amount,
           c.tax_free, c.vat_amount, c.currency, c.order_name, s.code AS subscription_code, s.billing_key_id,
           last.number AS last_number, last.status AS last_status, last.merchant_uid AS last_merchant_uid,
           last.via AS last_via, last.flagged_at AS last_flagged_at, last.window_until AS last_window_until,
           last.billing_key_id AS last_key_id,
           {CONDITIONS[Blocker.DISCREPANCY]} AS in_question,
           s.status <> 'pending' AND {MAY_HAVE_LOST_WINDOWS} AS may_have_lost_windows
    FROM charges c JOIN subscriptions s ON s.id = c.subscription_id
    LEFT JOIN LATERAL (
        SELECT * FROM attempts WHERE charge_id = c.id ORDER BY number DESC LIMIT 1
    ) last ON true
    WHERE c.id = :id
""")  # noqa: S608 - constants only

# Opened again, an attempt stays the same one; a later look-up that was asked before counts for nothing.
_BEGIN = text("""
    WITH charge AS (
        UPDATE charges SET status = 'charging', status_reason = :reason, status_at = :now, next_attempt_at = NULL,
            wait_reason = NULL
        WHERE id = :charge_id AND status IN ('due', 'past_due')
    )
    INSERT INTO attempts AS a (charge_id, billing_key_id, number, merchant_uid, status, status_reason, status_at,
                               sends, started_at, lease_until, via, window_until, resume_at)
    VALUES (:charge_id, :billing_key_id, :number, :merchant_uid, 'started', :reason, :now,
            1, :now, :lease_until, 'window', :window_until, :resume_at)
    ON CONFLICT (merchant_uid) DO UPDATE
        SET status = CASE a.status WHEN 'not_charged' THEN 'started' ELSE a.status END,
            status_reason = excluded.status_reason, status_at = excluded.status_at,
            sends = a.sends + 1, started_at = excluded.started_at, lease_until = excluded.lease_until,
            next_lookup_at = CASE a.status WHEN 'unknown' THEN excluded.lease_until END, lookups = 0,
            settled_at = NULL, via = 'window', window_until = excluded.window_until,
            resume_at = CASE a.status WHEN 'not_charged' THEN excluded.resume_at ELSE a.resume_at END,
            billing_key_id = excluded.billing_key_id
        WHERE a.charge_id = excluded.charge_id AND a.flagged_at IS NULL
          AND (a.status = 'not_charged' OR a.via = 'window' AND a.status IN ('started', 'unknown'))
    RETURNING a.id
""")

_ATTEMPT = text(f"""
    SELECT {KNOWN_ATTEMPT}, a.status AS attempt_status
    FROM attempts a
    {OF_AN_ATTEMPT}
    WHERE a.merchant_uid = :merchant_uid
""")  # noqa: S608 - constants only

WINDOW_ADVISORY_LOCK = 0x7769_6E64  # "wind": one customer opens one window at a time, whatever tabs and links they have

_ONE_AT_A_TIME = text("SELECT pg_advisory_xact_lock(:lock, CAST(:id % 2147483648 AS integer))")

_OPEN_ATTEMPTS = text("""
    SELECT a.id FROM attempts a JOIN charges c ON c.id = a.charge_id
    WHERE c.subscription_id = :id AND a.status IN ('started', 'unknown', 'not_charged')
      AND c.status NOT IN ('paid', 'void')
    ORDER BY a.id
    FOR UPDATE OF a
""")

_DECLINED = text("""
    SELECT merchant_uid FROM attempts WHERE charge_id = :charge_id AND status = 'declined' ORDER BY number
""")

# What a limit or a sweep has held, its customer may pay by hand; what an operator has stopped, not.
_STOPS = text("""
    SELECT 1 FROM stops
    WHERE scope IN (:everything, :pg) OR plan_id = (SELECT plan_id FROM subscriptions WHERE id = :subscription_id)
    UNION ALL
    SELECT 1 FROM holds
    WHERE subscription_id = :subscription_id AND status = 'held' AND held_by <> ALL(CAST(:by_themselves AS text[]))
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedCharge:
    """A charge that this transaction alone may move, with its newest attempt (`last_...`) if it has one."""

    id: int
    status: ChargeStatus
    is_payable: bool  # by hand
    next_attempt_at: datetime | None
    period_start: datetime
    period_end: datetime
    amount: int
    tax_free: int
    vat_amount: int | None
    currency: str
    order_name: str
    subscription_code: str
    billing_key_id: int | None
    last_number: int | None
    last_status: AttemptStatus | None
    last_merchant_uid: str | None
    last_via: Via | None
    last_flagged_at: datetime | None
    last_window_until: datetime | None
    last_key_id: int | None
    in_question: bool  # a discrepancy of it is open
    may_have_lost_windows: bool


def lock_attempts(session: Session, subscription_id: int) -> None:
    """Lock a subscription's attempts that may still be paid. Before its charges, as a write-back does.

    Two windows that open at once would lock an attempt that the first of them makes in different orders; so they wait
    for each other first.
    """
    session.execute(_ONE_AT_A_TIME, {"lock": WINDOW_ADVISORY_LOCK, "id": subscription_id})
    session.execute(_OPEN_ATTEMPTS, {"id": subscription_id})


def locked_charge(session: Session, charge_id: int) -> LockedCharge | None:
    """Lock a charge, and return it with its newest attempt."""
    session.execute(_LOCK_CHARGE, {"id": charge_id})
    row = session.execute(_CHARGE, {"id": charge_id, "window_life": WINDOW_LIFE}).one_or_none()
    return None if row is None else _locked(row)


def declined_of(session: Session, charge_id: int) -> list[str]:
    """Return the merchant_uids of a charge's declined attempts, in their order."""
    return list(session.scalars(_DECLINED, {"charge_id": charge_id}))


def begin(
    session: Session,
    charge: LockedCharge,
    *,
    number: int,
    merchant_uid: str,
    billing_key_id: int,
    lease: timedelta,
    life: timedelta,
    now: datetime,
) -> bool:
    """Commit to an attempt that a window may make from now on; False when it is not open to that."""
    values = {
        "charge_id": charge.id,
        "billing_key_id": billing_key_id,
        "number": number,
        "merchant_uid": merchant_uid,
        "lease_until": now + lease,
        "window_until": now + life,
        "resume_at": charge.next_attempt_at,
        "reason": "a payment window may open",
        "now": now,
    }
    return session.execute(_BEGIN, values).first() is not None


def attempt_of(session: Session, merchant_uid: str) -> tuple[Attempt, AttemptStatus] | None:
    """Return an attempt by its merchant_uid, whatever its status is, and that status."""
    row = session.execute(_ATTEMPT, {"merchant_uid": merchant_uid}).one_or_none()
    return None if row is None else (known_attempt(row), AttemptStatus(row.attempt_status))


def is_stopped(session: Session, pg: str, subscription_id: int) -> bool:
    """Return whether `again stop` holds this PG, this subscription or its plan.

    A stop waits for what has asked here before, as for claims.
    """
    session.execute(text("SELECT pg_advisory_xact_lock_shared(:lock)"), {"lock": CLAIM_ADVISORY_LOCK})
    asked = {"everything": EVERYTHING, "pg": pg, "subscription_id": subscription_id}
    return session.execute(_STOPS, {**asked, "by_themselves": list(BY_THEMSELVES)}).first() is not None


def _locked(row: Row[Any]) -> LockedCharge:
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for a row as a mapping
    values["status"] = ChargeStatus(row.status)
    values["last_status"] = None if row.last_status is None else AttemptStatus(row.last_status)
    values["last_via"] = None if row.last_via is None else Via(row.last_via)
    return LockedCharge(**values)
