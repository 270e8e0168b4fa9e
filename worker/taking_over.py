"""Putting a registered billing key to work: the first one begins its subscription, another one replaces the old."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row
from sqlalchemy.orm import Session

from worker.beginning import begin
from worker.catalog import plan_row
from worker.database import beginnings, subscriptions
from worker.database.plans import plan_of
from worker.key_rules import is_label
from worker.lifecycle import BillingKeyStatus, CheckoutPurpose, SubscriptionStatus


@dataclass(frozen=True, slots=True)
class Taken:
    """What was done, in words; and the key that nobody needs any more, to be deleted at PortOne."""

    said: str
    forget_key_id: int | None = None


def take_over(session: Session, row: Row[Any], key_id: int | None, *, label: str, now: datetime) -> Taken:
    """Let a locked, proved checkout's key do its work. Done twice, or after another key has come, it is done once."""
    if key_id is None:
        return Taken("the charge was paid by hand")
    return _put_to_work(session, row, key_id, label, now)


def _put_to_work(session: Session, row: Row[Any], key_id: int, label: str, now: datetime) -> Taken:
    if beginnings.key(session, key_id).status == BillingKeyStatus.DELETED:
        return Taken("the key was registered too late, when it was given up: make a new link", key_id)
    beginnings.activate(session, key_id, label=label if is_label(label) else "", now=now)
    subscriptions.lock_open_charges(session, row.subscription_code)
    subscription = subscriptions.locked(session, row.subscription_code)
    assert subscription is not None, "subscriptions are never deleted"
    if subscription.status in {SubscriptionStatus.CANCELED, SubscriptionStatus.ENDED}:
        return Taken("its subscription is over, so the key is not needed", key_id)
    if subscription.billing_key_id == key_id:
        return Taken("the key is the subscription's already")
    if subscription.status == SubscriptionStatus.PENDING:
        plan = plan_of(plan_row(session, subscription.plan_code))
        begin(session, subscription, plan, key_id, reason="its first billing key was registered", now=now)
        return Taken("the subscription has its first billing key")
    if row.purpose == CheckoutPurpose.REGISTER and _can_charge(session, subscription.billing_key_id):
        return Taken("the subscription has its first billing key already", key_id)
    return _replace(session, subscription, key_id, now)


def _can_charge(session: Session, key_id: int | None) -> bool:
    return key_id is not None and beginnings.key(session, key_id).status == BillingKeyStatus.ACTIVE


def _replace(session: Session, subscription: Row[Any], key_id: int, now: datetime) -> Taken:
    """Charge by the new key from now on, and by it what waited for one. The old one is forgotten, but never before."""
    change = f"billing key {subscription.billing_key_id or 'none'} to {key_id}: registered in a payment window"
    changed = subscriptions.change_key(session, subscription, key_id, reason=change, now=now)
    assert changed, "the row is locked, so nobody else can have given it a key"
    woken = subscriptions.wake_charges(session, [subscription.id], now)
    return Taken(f"the key was replaced; {woken} charges that waited are due", subscription.billing_key_id)
