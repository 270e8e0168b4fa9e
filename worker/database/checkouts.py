"""Checkouts: made, opened, finished once; and which of them have to be looked after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

_COLUMNS = """
    k.id, k.code, k.purpose, k.status, k.status_reason, k.subscription_id, k.charge_id, k.with_payment, k.pg,
    k.chosen_pg, k.amount, k.created_at, k.expires_at, k.agreed_at, k.wording, k.billing_key_id, k.merchant_uid,
    k.windows, k.window_until, k.looks, k.imp_uid, k.said,
    ARRAY(SELECT DISTINCT unnest(o.opened_pgs) FROM checkouts o WHERE o.merchant_uid = k.merchant_uid) AS opened_pgs,
    s.code AS subscription_code, s.status AS subscription_status, b.customer_uid
"""

_OF = """
    FROM checkouts k JOIN subscriptions s ON s.id = k.subscription_id
    LEFT JOIN billing_keys b ON b.id = k.billing_key_id
"""

_ADD = text("""
    INSERT INTO checkouts (code, purpose, status, status_reason, status_at, subscription_id, charge_id, with_payment,
                           pg, amount, created_at, expires_at)
    VALUES (:code, :purpose, 'created', 'its link was made', :now, :subscription_id, :charge_id, :with_payment, :pg,
            :amount, :now, :expires_at)
""")

_FOUND = text(f"SELECT {_COLUMNS} {_OF} WHERE k.code = :code")
_LOCKED = text(f"SELECT {_COLUMNS} {_OF} WHERE k.code = :code FOR UPDATE OF k")

_OPENED = text("""
    UPDATE checkouts
    SET status = 'opened', status_reason = :reason, status_at = :now, agreed_at = :now, wording = :wording,
        chosen_pg = CAST(:pg AS text),
        opened_pgs = array_append(array_remove(opened_pgs, CAST(:pg AS text)), CAST(:pg AS text)),
        billing_key_id = :billing_key_id, charge_id = :charge_id,
        merchant_uid = :merchant_uid, amount = :amount,
        windows = windows + 1, window_until = :window_until, looks = 0, next_look_at = :next_look_at, said = NULL
    WHERE id = :id AND status IN ('created', 'opened')
    RETURNING id
""")

_DONE = text("""
    UPDATE checkouts
    SET status = 'done', status_reason = :reason, status_at = :now, next_look_at = NULL, imp_uid = :imp_uid,
        said = NULL, replaced_key_id = :replaced_key_id,
        forget_at = CASE WHEN :forgets THEN CAST(:now AS timestamptz) END
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

_CODES = text("SELECT code FROM checkouts WHERE merchant_uid = :merchant_uid ORDER BY id")


def add(session: Session, values: Mapping[str, Any], *, now: datetime) -> None:
    """Write down a checkout whose link is about to be given out."""
    session.execute(_ADD, {**values, "now": now})


def found(session: Session, code: str) -> Row[Any] | None:
    return session.execute(_FOUND, {"code": code}).one_or_none()


def locked(session: Session, code: str) -> Row[Any] | None:
    """Lock a checkout: of two tabs, or a browser and a webhook, one goes first. Before charges and subscriptions."""
    return session.execute(_LOCKED, {"code": code}).one_or_none()


def opened(session: Session, checkout_id: int, values: Mapping[str, Any], *, now: datetime) -> bool:
    """Write down the consent, and what the window is for; False when the checkout has ended meanwhile."""
    return session.execute(_OPENED, {"id": checkout_id, **values, "now": now}).first() is not None


def done(
    session: Session, checkout_id: int, *, reason: str, imp_uid: str | None, forget_key_id: int | None, now: datetime
) -> bool:
    """End a checkout as carried out; False when it was already. The key named is to be deleted at PortOne."""
    values = {
        "id": checkout_id,
        "reason": reason,
        "imp_uid": imp_uid,
        "replaced_key_id": forget_key_id,
        "forgets": forget_key_id is not None,
        "now": now,
    }
    return session.execute(_DONE, values).first() is not None


def say(session: Session, checkout_id: int, said: str) -> None:
    """Keep what the PG said to the customer, for the page to show."""
    session.execute(_SAID, {"id": checkout_id, "said": said})


def expire_left(session: Session, row: Row[Any], *, reason: str, now: datetime) -> None:
    """End a checkout whose windows are over, unless one was opened since it was taken."""
    session.execute(_EXPIRE_LEFT, {"id": row.id, "windows": row.windows, "reason": reason, "now": now})


def expire_unused(session: Session, *, now: datetime, limit: int) -> int:
    """End checkouts whose links ran out unused; returns how many."""
    return len(session.execute(_EXPIRE_UNUSED, {"now": now, "limit": limit}).all())


def take(session: Session, *, now: datetime, limit: int) -> Sequence[Row[Any]]:
    """Take the opened checkouts that are to be looked after now."""
    return session.execute(_TAKE, {"now": now, "limit": limit}).all()


def codes_of(session: Session, merchant_uid: str) -> Sequence[str]:
    """Name the checkouts whose window has this merchant_uid."""
    return session.scalars(_CODES, {"merchant_uid": merchant_uid}).all()


FIRST_LOOK = timedelta(minutes=1)
"""So long after a window was opened PortOne is asked first, should nobody else have told the outcome by then."""
