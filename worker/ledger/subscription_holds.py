"""Holding one subscription: for a limit that it alone exceeds, a payment that no period of it accounts for, or by hand.

Whatever has held it, only an operator releases it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from worker.database.bulk import as_rows
from worker.domain.charge_limits import STOPPED_BY_LIMIT

BY_RECONCILIATION = "reconciliation"
"""`holds.held_by` when a sweep has found a payment that no period accounts for."""

BY_THEMSELVES = (STOPPED_BY_LIMIT, BY_RECONCILIATION)
"""Every `holds.held_by` that is no operator."""

SHOWN = 20
"""How many held subscriptions `again status` names."""

_HOLD = text("""
    INSERT INTO holds AS h (subscription_id, status, status_reason, status_at, held_by)
    SELECT s.id, 'held', replace(v.reason, '{code}', s.code), :now, :by
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS v(subscription_id bigint, reason text)
    JOIN subscriptions s ON s.id = v.subscription_id
    ORDER BY s.id
    ON CONFLICT (subscription_id) DO UPDATE
    SET status = 'held', status_reason = excluded.status_reason, status_at = excluded.status_at,
        held_by = excluded.held_by
    WHERE h.status = 'released'
""")

# Released since it was found, it stays so: an operator has looked at it.
_UNACCOUNTED = text("""
    SELECT s.id, d.merchant_uid
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS v(code text, merchant_uid text)
    JOIN subscriptions s ON s.code = v.code AND s.status NOT IN ('canceled', 'ended')
    JOIN discrepancies d ON d.merchant_uid = v.merchant_uid AND d.kind = 'not_in_records' AND d.status = 'open'
    WHERE NOT EXISTS (
        SELECT FROM holds h
        WHERE h.subscription_id = s.id AND (h.status = 'held' OR h.status_at >= d.found_at) OFFSET 0)
    ORDER BY s.id, d.merchant_uid
""")

_RELEASE = text("""
    UPDATE holds h SET status = 'released', status_reason = :reason, status_at = :now
    FROM subscriptions s
    WHERE s.code = :code AND h.subscription_id = s.id AND h.status = 'held'
    RETURNING h.id
""")

# What an operator stops is held for that reason from then on, whatever had held it before.
_TAKE_OVER = text("""
    UPDATE holds SET status = 'released', status_reason = 'an operator has stopped it', status_at = :now
    WHERE subscription_id = :id AND status = 'held' AND held_by = ANY(CAST(:by_themselves AS text[]))
""")

_OF = text("""
    SELECT s.code, h.status_reason AS reason, h.status_at AS held_at, h.held_by, 1 AS held
    FROM holds h JOIN subscriptions s ON s.id = h.subscription_id
    WHERE h.subscription_id = :id AND h.status = 'held'
""")

_HELD = text("""
    SELECT s.code, h.status_reason AS reason, h.status_at AS held_at, h.held_by, count(*) OVER () AS held
    FROM holds h JOIN subscriptions s ON s.id = h.subscription_id
    WHERE h.status = 'held' AND s.status NOT IN ('canceled', 'ended')
    ORDER BY h.status_at, h.id LIMIT :limit
""")


@dataclass(frozen=True, slots=True)
class HeldSubscription:
    """A subscription that a charge limit, reconciliation or an operator has stopped."""

    code: str
    reason: str
    held_at: datetime
    held_by: str
    held: int  # how many there are in all


def hold(session: Session, reasons: Mapping[int, str], *, by: str, now: datetime) -> None:
    """Hold subscriptions, each with its reason, in which `{code}` is the subscription's."""
    rows = as_rows({"subscription_id": each, "reason": reason} for each, reason in reasons.items())
    session.execute(_HOLD, {"rows": rows, "by": by, "now": now})


def hold_by_hand(session: Session, subscription_id: int, *, reason: str, by: str, now: datetime) -> None:
    """Hold a subscription for an operator; one that an operator has held already keeps its first reason."""
    session.execute(_TAKE_OVER, {"id": subscription_id, "now": now, "by_themselves": list(BY_THEMSELVES)})
    hold(session, {subscription_id: reason}, by=by, now=now)


def hold_of(session: Session, subscription_id: int) -> HeldSubscription | None:
    """Return what holds a subscription, and since when; None when nothing does."""
    row = session.execute(_OF, {"id": subscription_id}).one_or_none()
    return None if row is None else HeldSubscription(**row._mapping)  # noqa: SLF001 - public


def hold_unaccounted(session: Session, payments: Mapping[str, str], *, by: str, now: datetime) -> None:
    """Hold the subscriptions of payments that no period of theirs accounts for: codes by merchant_uid.

    What they are for was forgotten by a restore, such as another plan: the next period may be paid already.
    """
    rows = as_rows({"code": code, "merchant_uid": uid} for uid, code in payments.items())
    found = session.execute(_UNACCOUNTED, {"rows": rows}).all()
    reasons = {row.id: f"PortOne shows {row.merchant_uid}, for a period that is not in our records" for row in found}
    if reasons:
        hold(session, reasons, by=by, now=now)


def release(session: Session, code: str, *, reason: str, now: datetime) -> bool:
    """Let a subscription be charged again, counted from now on; False when it was not held."""
    return session.execute(_RELEASE, {"code": code, "reason": reason, "now": now}).first() is not None


def held(session: Session, *, limit: int = SHOWN) -> Sequence[HeldSubscription]:
    """List the subscriptions held longest; `held` of each row is how many there are in all."""
    return [HeldSubscription(**row._mapping) for row in session.execute(_HELD, {"limit": limit})]  # noqa: SLF001 - public
