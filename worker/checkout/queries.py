"""Checkouts: made, opened, finished once; and which of them have to be looked after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

_FOUND_BY = """
    SELECT k.id, k.code, k.purpose, k.status, k.status_reason, k.subscription_id, k.charge_id, k.with_payment, k.pg,
           k.created_at, k.expires_at, k.agreed_at, k.wording, k.windows, k.window_until, k.looks, k.imp_uid, k.said,
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

_FOUND = text(_FOUND_BY)
_LOCKED = text(f"{_FOUND_BY} FOR UPDATE OF k")

_OPENED = text("""
    UPDATE checkouts
    SET status = 'opened', status_reason = :reason, status_at = :now, agreed_at = :now, wording = :wording,
        windows = windows + 1, window_until = :window_until, looks = 0, next_look_at = :next_look_at, said = NULL
    WHERE id = :id AND status IN ('created', 'opened')
    RETURNING id
""")

_DONE = text("""
    UPDATE checkouts
    SET status = 'done', status_reason = :reason, status_at = :now, next_look_at = NULL, imp_uid = :imp_uid, said = NULL
    WHERE id = :id AND status IN ('opened', 'expired')
    RETURNING id
""")

_SAID = text("UPDATE checkouts SET said = :said WHERE id = :id AND status = 'opened'")

_EXPIRE_LEFT = text("""
    UPDATE checkouts SET status = 'expired', status_reason = :reason, status_at = :now, next_look_at = NULL
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
    UPDATE checkouts SET looks = looks + 1, next_look_at = CAST(:now AS timestamptz) + CASE
        WHEN looks < 30 THEN interval '1 minute' ELSE interval '15 minutes' END
    WHERE id IN (
        SELECT id FROM checkouts WHERE status = 'opened' AND next_look_at <= :now ORDER BY next_look_at LIMIT :limit
        FOR UPDATE SKIP LOCKED)
    RETURNING code, id, window_until, windows
""")

# A first period that turned out to be paid after all: by a sweep, or a look-up that saw it later than we did.
_REVIVE = text("""
    UPDATE checkouts k
    SET status = 'opened', status_reason = 'its payment has turned up', status_at = :now, next_look_at = :now
    FROM window_orders o JOIN attempts a ON a.merchant_uid = o.merchant_uid
    WHERE a.charge_id = ANY(:charge_ids) AND a.status = 'paid' AND o.billing_key_id IS NOT NULL
      AND k.id = o.checkout_id AND k.status = 'expired' AND k.status_at <= a.settled_at
""")


def add(session: Session, values: Mapping[str, Any], *, now: datetime) -> None:
    """Write down a checkout whose link is about to be given out."""
    session.execute(_ADD, {**values, "now": now})


def found(session: Session, code: str) -> Row[Any] | None:
    return session.execute(_FOUND, {"code": code}).one_or_none()


def locked(session: Session, code: str) -> Row[Any] | None:
    """Lock a checkout: of two tabs, or a browser and a webhook, one goes first. Before charges and subscriptions."""
    return session.execute(_LOCKED, {"code": code}).one_or_none()


def opened(session: Session, checkout_id: int, values: Mapping[str, Any], *, now: datetime) -> bool:
    """Write down the consent, and what the window is for; False when the checkout has ended meanwhile.

    The row has the last consent; triggers keep each of them in the audit.
    """
    return session.execute(_OPENED, {"id": checkout_id, **values, "now": now}).first() is not None


def done(session: Session, checkout_id: int, *, reason: str, imp_uid: str | None, now: datetime) -> bool:
    """End a checkout as carried out; False when it was already."""
    values = {"id": checkout_id, "reason": reason, "imp_uid": imp_uid, "now": now}
    return session.execute(_DONE, values).first() is not None


def say(session: Session, checkout_id: int, said: str) -> None:
    """Keep what the PG said to the customer, for the page to show."""
    session.execute(_SAID, {"id": checkout_id, "said": said})


def expire_left(session: Session, row: Row[Any], *, reason: str, now: datetime) -> None:
    """End a checkout whose windows were over when PortOne was asked, unless one was opened since it was taken."""
    session.execute(_EXPIRE_LEFT, {"id": row.id, "windows": row.windows, "reason": reason, "now": now})


def expire_unused(session: Session, *, now: datetime, limit: int) -> int:
    """End checkouts whose links ran out unused; returns how many."""
    return len(session.execute(_EXPIRE_UNUSED, {"now": now, "limit": limit}).all())


def take(session: Session, *, now: datetime, limit: int) -> Sequence[Row[Any]]:
    """Take the opened checkouts that are to be looked after now."""
    return session.execute(_TAKE, {"now": now, "limit": limit}).all()


def revive(session: Session, charge_ids: Sequence[int], *, now: datetime) -> None:
    """Let checkouts be looked at once more that had expired before the payment of these charges turned up."""
    session.execute(_REVIVE, {"charge_ids": list(charge_ids), "now": now})


FIRST_LOOK = timedelta(minutes=1)
"""So long after a window was opened PortOne is asked first, should nobody else have told the outcome by then."""
