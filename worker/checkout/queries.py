"""SQL of the checkouts table: rows created, opened, finished once, and taken for maintenance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from worker.domain.states import CheckoutPurpose, CheckoutStatus, SubscriptionStatus

FIRST_LOOKUP_AFTER = timedelta(minutes=1)
"""How long after a window was opened maintenance first asks PortOne, unless the outcome is known by then."""

_FIND = """
    SELECT k.id, k.code, k.purpose, k.status, k.subscription_id, k.charge_id, k.with_payment, k.pg, k.expires_at,
           k.agreed_at, k.windows, k.decline_message,
           s.code AS subscription_code, s.status AS subscription_status,
           last.pg AS chosen_pg, COALESCE(k.charge_id, last.charge_id) AS paid_charge_id
    FROM checkouts k JOIN subscriptions s ON s.id = k.subscription_id
    LEFT JOIN LATERAL (
        SELECT o.pg, o.charge_id FROM window_orders o WHERE o.checkout_id = k.id ORDER BY o.opened_at DESC, o.id DESC
        LIMIT 1
    ) last ON true
    WHERE k.code = :code
"""

_ADD = text("""
    INSERT INTO checkouts (code, purpose, status, status_reason, status_at, subscription_id, charge_id, with_payment,
                           pg, created_at, expires_at)
    VALUES (:code, :purpose, 'created', 'its link was made', :now, :subscription_id, :charge_id, :with_payment, :pg,
            :now, :expires_at)
""")

_FOUND = text(_FIND)
_LOCKED = text(f"{_FIND} FOR UPDATE OF k")

_OPENED = text("""
    UPDATE checkouts
    SET status = 'opened', status_reason = :reason, status_at = :now, agreed_at = :now, wording = :wording,
        windows = windows + 1, window_until = :window_until, lookups = 0, next_lookup_at = :next_lookup_at,
        decline_message = NULL
    WHERE id = :id AND status IN ('created', 'opened')
    RETURNING id
""")

_DONE = text("""
    UPDATE checkouts
    SET status = 'done', status_reason = :reason, status_at = :now, next_lookup_at = NULL, imp_uid = :imp_uid,
        decline_message = NULL
    WHERE id = :id AND status IN ('opened', 'expired')
    RETURNING id
""")

_DECLINED = text("UPDATE checkouts SET decline_message = :message WHERE id = :id AND status = 'opened'")

_EXPIRE_ABANDONED = text("""
    UPDATE checkouts SET status = 'expired', status_reason = :reason, status_at = :now, next_lookup_at = NULL
    WHERE id = :id AND status = 'opened' AND window_until <= :now AND windows = :windows
""")

_EXPIRE_UNUSED = text("""
    UPDATE checkouts SET status = 'expired', status_reason = 'its link was not used', status_at = :now
    WHERE id IN (
        SELECT id FROM checkouts WHERE status = 'created' AND expires_at <= :now ORDER BY expires_at LIMIT :limit
        FOR UPDATE SKIP LOCKED)
    RETURNING id
""")

# Often at first, when a closed tab is soonest missed; then every quarter of an hour, until no window can be used.
_TAKE = text("""
    UPDATE checkouts SET lookups = lookups + 1, next_lookup_at = CAST(:now AS timestamptz) + CASE
        WHEN lookups < 30 THEN interval '1 minute' ELSE interval '15 minutes' END
    WHERE id IN (
        SELECT id FROM checkouts WHERE status = 'opened' AND next_lookup_at <= :now ORDER BY next_lookup_at LIMIT :limit
        FOR UPDATE SKIP LOCKED)
    RETURNING code, id, window_until, windows
""")

# A first period that turned out to be paid after all: by the statement, or by a look-up later than the checkout's.
_REOPEN_PAID = text("""
    UPDATE checkouts k
    SET status = 'opened', status_reason = 'its payment has turned up', status_at = :now, next_lookup_at = :now
    FROM window_orders o JOIN attempts a ON a.merchant_uid = o.merchant_uid
    WHERE a.charge_id = ANY(:charge_ids) AND a.status = 'paid' AND o.billing_key_id IS NOT NULL
      AND k.id = o.checkout_id AND k.status = 'expired' AND k.status_at <= a.settled_at
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckoutRow:
    """A checkout with its subscription, and with what its newest window was opened for."""

    id: int
    code: str
    purpose: CheckoutPurpose
    status: CheckoutStatus
    subscription_id: int
    subscription_code: str
    subscription_status: SubscriptionStatus
    charge_id: int | None  # the overdue charge that its link pays
    paid_charge_id: int | None  # that charge, or the first period's which its newest window pays
    with_payment: bool
    pg: str | None  # if the link leaves no choice
    chosen_pg: str | None  # of its newest window
    expires_at: datetime
    agreed_at: datetime | None
    windows: int  # how often one was opened
    decline_message: str | None  # of the PG, for the customer to read


@dataclass(frozen=True, slots=True)
class OpenCheckout:
    """An opened checkout whose outcome is to be looked up now."""

    code: str
    id: int
    window_until: datetime
    windows: int


def add(session: Session, values: Mapping[str, Any], *, now: datetime) -> None:
    """Insert a checkout, before its link is handed out."""
    session.execute(_ADD, {**values, "now": now})


def find(session: Session, code: str) -> CheckoutRow | None:
    return _checkout(session.execute(_FOUND, {"code": code}).one_or_none())


def lock(session: Session, code: str) -> CheckoutRow | None:
    """Lock a checkout: of two tabs, or a browser and a webhook, one goes first. Before charges and subscriptions."""
    return _checkout(session.execute(_LOCKED, {"code": code}).one_or_none())


def mark_opened(session: Session, checkout_id: int, values: Mapping[str, Any], *, now: datetime) -> bool:
    """Record the consent, and how long the window may be used; False when the checkout has ended meanwhile.

    The row has the last consent; triggers keep each of them in the audit.
    """
    return session.execute(_OPENED, {"id": checkout_id, **values, "now": now}).first() is not None


def mark_done(session: Session, checkout_id: int, *, reason: str, imp_uid: str | None, now: datetime) -> bool:
    """End a checkout as fulfilled; False when it was already."""
    values = {"id": checkout_id, "reason": reason, "imp_uid": imp_uid, "now": now}
    return session.execute(_DONE, values).first() is not None


def record_decline(session: Session, checkout_id: int, message: str) -> None:
    """Keep the PG's message about a decline, for the page to show."""
    session.execute(_DECLINED, {"id": checkout_id, "message": message})


def expire_abandoned(session: Session, checkout: OpenCheckout, *, reason: str, now: datetime) -> None:
    """Expire a checkout whose windows were over when PortOne was asked, unless one was opened since it was taken."""
    values = {"id": checkout.id, "windows": checkout.windows, "reason": reason, "now": now}
    session.execute(_EXPIRE_ABANDONED, values)


def expire_unused(session: Session, *, now: datetime, limit: int) -> int:
    """Expire checkouts whose links ran out unused; returns how many."""
    return len(session.execute(_EXPIRE_UNUSED, {"now": now, "limit": limit}).all())


def take_open(session: Session, *, now: datetime, limit: int) -> list[OpenCheckout]:
    """Return the opened checkouts whose next look-up is due, and schedule the one after."""
    return [OpenCheckout(*row) for row in session.execute(_TAKE, {"now": now, "limit": limit})]


def reopen_paid(session: Session, charge_ids: Sequence[int], *, now: datetime) -> None:
    """Reopen checkouts that had expired before the payment of these charges turned up."""
    session.execute(_REOPEN_PAID, {"charge_ids": list(charge_ids), "now": now})


def _checkout(row: Row[Any] | None) -> CheckoutRow | None:
    if row is None:
        return None
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for a row as a mapping
    return CheckoutRow(
        **{
            **values,
            "purpose": CheckoutPurpose(row.purpose),
            "status": CheckoutStatus(row.status),
            "subscription_status": SubscriptionStatus(row.subscription_status),
        }
    )
