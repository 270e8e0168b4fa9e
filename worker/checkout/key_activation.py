"""Putting a registered billing key to work: the first one begins its subscription, another one replaces the old."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row
from sqlalchemy.orm import Session

from worker.checkout import paid_without_key
from worker.checkout.verification import Proved
from worker.database.mapping import plan_of
from worker.domain.states import BillingKeyStatus, CheckoutPurpose, SubscriptionStatus
from worker.ledger import charges, consents
from worker.ledger.opening import open_due_now
from worker.subscriptions import activation_queries
from worker.subscriptions import queries as subscription_queries
from worker.subscriptions.activation import begin
from worker.subscriptions.billing_keys import is_label
from worker.subscriptions.plans import plan_row


@dataclass(frozen=True, slots=True)
class KeyActivation:
    """What was done, in words; and the key that nobody needs any more, to be deleted at PortOne."""

    said: str
    forget_key_id: int | None = None
    is_over: bool = False  # the subscription has ended before it could begin


def activate_key(
    session: Session, row: Row[Any], key_id: int | None, key: Proved | None, *, now: datetime
) -> KeyActivation:
    """Let a locked, proved checkout's key do its work. Done twice, or after another key has come, it is done once."""
    if key_id is None or key is None:
        return KeyActivation("the charge was paid by hand")
    known = activation_queries.key(session, key_id)
    if known.status == BillingKeyStatus.DELETED:
        return KeyActivation("the key was registered too late, when it was given up: make a new link", key_id)
    label = key.card if key.card is not None and is_label(key.card) else ""
    activation_queries.activate(session, key_id, label=label, registered_at=key.registered_at, now=now)
    charges.lock_open_charges(session, row.subscription_code)
    subscription = subscription_queries.locked(session, row.subscription_code)
    assert subscription is not None, "subscriptions are never deleted"
    return _put_to_work(session, row, subscription, key_id, key, now)


def _put_to_work(
    session: Session, row: Row[Any], subscription: Row[Any], key_id: int, key: Proved, now: datetime
) -> KeyActivation:
    if subscription.status in {SubscriptionStatus.CANCELED, SubscriptionStatus.ENDED}:
        return KeyActivation("its subscription is over, so the key is not needed", key_id, is_over=True)
    if subscription.billing_key_id == key_id:
        return KeyActivation("the key is the subscription's already")
    if subscription.status == SubscriptionStatus.PENDING:
        plan = plan_of(plan_row(session, subscription.plan_code))
        begin(session, subscription, plan, key_id, reason="its first billing key was registered", now=now)
        paid_without_key.begun(session, subscription.id, now=now)
        return KeyActivation("the subscription has its first billing key")
    current = (
        None if subscription.billing_key_id is None else activation_queries.key(session, subscription.billing_key_id)
    )
    if current is not None and current.status == BillingKeyStatus.ACTIVE:
        if row.purpose == CheckoutPurpose.REGISTER:
            return KeyActivation("the subscription has its first billing key already", key_id)
        if _is_older(key.registered_at, current.registered_at):
            return KeyActivation("the customer has registered a newer billing key meanwhile", key_id)
    return _replace(session, row, subscription, key_id, now)


def _is_older(registered_at: datetime | None, than: datetime | None) -> bool:
    """Say whether a key that is heard of only now was registered before the one that is in use."""
    return registered_at is not None and than is not None and registered_at < than


def _replace(session: Session, row: Row[Any], subscription: Row[Any], key_id: int, now: datetime) -> KeyActivation:
    """Charge by the new key from now on, and at once what was agreed to. The old one is forgotten, never before."""
    if (due := subscription_queries.due_now(session, subscription.id, now=now)) is not None:
        open_due_now(session, due, now=now)  # while the old key still decides how many periods may be open
    change = f"billing key {subscription.billing_key_id or 'none'} to {key_id}: registered in a payment window"
    changed = subscription_queries.change_key(session, subscription, key_id, reason=change, now=now)
    assert changed, "the row is locked, so nobody else can have given it a key"
    consent = consents.newest(session, row.id)
    agreed_at = row.agreed_at if consent is None else consent.agreed_at
    charged = consents.charge_what_was_agreed(session, subscription.id, consent, agreed_at=agreed_at, now=now)
    said = f"the key was replaced; {charged.count} charges, {charged.amount:,} KRW, are made with it at once"
    return KeyActivation(said, subscription.billing_key_id)
