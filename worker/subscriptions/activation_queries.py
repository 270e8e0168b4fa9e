"""How a subscription that waited for its first billing key begins: its anchor, its key, its periods."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from worker.domain.states import BillingKeyStatus

_ANCHOR = text("UPDATE subscriptions SET anchor_on = :anchor_on WHERE id = :id AND status = 'pending'")

_BEGIN = text("""
    UPDATE subscriptions
    SET status = :status, status_reason = :reason, status_at = :now, billing_key_id = :billing_key_id,
        anchor_on = :anchor_on, next_charge_at = :next_charge_at, current_period_start = :current_period_start,
        current_period_end = :current_period_end
    WHERE id = :id AND status = 'pending'
    RETURNING id
""")

_ADD_KEY = text("""
    INSERT INTO billing_keys (customer_uid, pg, channel_key, label, status, status_reason, status_at, created_at,
                              forget_at)
    VALUES (:customer_uid, :pg, :channel_key, '', 'registering', 'a payment window may open', :now, :now, :forget_at)
    RETURNING id
""")

_KEY = text("SELECT id, customer_uid, pg, status, registered_at FROM billing_keys WHERE id = :id FOR NO KEY UPDATE")

_KEEP = text("UPDATE billing_keys SET forget_at = :forget_at WHERE id = :id AND status = 'registering'")

_ACTIVATE = text("""
    UPDATE billing_keys SET status = 'active', status_reason = 'registered in a payment window', status_at = :now,
                            label = :label, registered_at = :registered_at, forget_at = NULL
    WHERE id = :id AND status = 'registering'
""")


@dataclass(frozen=True, slots=True)
class LockedKey:
    """A billing key that this transaction alone may move."""

    id: int
    customer_uid: str = field(repr=False)
    pg: str
    status: BillingKeyStatus
    registered_at: datetime | None

    @property
    def is_registering(self) -> bool:
        return self.status is BillingKeyStatus.REGISTERING


def move_anchor(session: Session, subscription_id: int, anchor_on: Any) -> None:
    session.execute(_ANCHOR, {"id": subscription_id, "anchor_on": anchor_on})


def start(session: Session, subscription_id: int, values: Mapping[str, Any], *, now: datetime) -> bool:
    """Move a pending subscription on to its first period; False when it is no longer pending."""
    return session.execute(_BEGIN, {"id": subscription_id, **values, "now": now}).first() is not None


def add_key(
    session: Session, *, customer_uid: str, pg: str, channel_key: str | None, forget_at: datetime, now: datetime
) -> int:
    """Write down a key before a window can make it; returns its id. Not put to work by `forget_at`, it is deleted."""
    values = {"customer_uid": customer_uid, "pg": pg, "channel_key": channel_key, "forget_at": forget_at, "now": now}
    return int(session.execute(_ADD_KEY, values).scalar_one())


def keep_key(session: Session, key_id: int, *, forget_at: datetime) -> None:
    """Let a key be registered for longer: another window of it opens."""
    session.execute(_KEEP, {"id": key_id, "forget_at": forget_at})


def key(session: Session, key_id: int) -> LockedKey:
    """Lock a key and return it."""
    row = session.execute(_KEY, {"id": key_id}).one()
    return LockedKey(row.id, row.customer_uid, row.pg, BillingKeyStatus(row.status), row.registered_at)


def activate(session: Session, key_id: int, *, label: str, registered_at: datetime | None, now: datetime) -> None:
    """Make a registered key one that can be charged; one that is active, dead or deleted stays so."""
    session.execute(_ACTIVATE, {"id": key_id, "label": label, "registered_at": registered_at, "now": now})
