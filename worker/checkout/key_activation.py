"""Activating a registered billing key: the first one starts its subscription, another one replaces the old."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from worker.checkout import paid_without_key_queries
from worker.checkout.queries import CheckoutRow
from worker.checkout.verification import Proved
from worker.database.mapping import plan_of
from worker.domain.states import BillingKeyStatus, CheckoutPurpose, SubscriptionStatus
from worker.ledger import charges, consents
from worker.ledger.due_subscriptions import due_subscription
from worker.ledger.opening import open_due_now
from worker.subscriptions import activation_queries
from worker.subscriptions import queries as subscription_queries
from worker.subscriptions.activation import start
from worker.subscriptions.billing_keys import is_label
from worker.subscriptions.plans import plan_row
from worker.subscriptions.queries import LockedSubscription


@dataclass(frozen=True, slots=True)
class KeyActivation:
    """What was done, as the checkout's status reason; and the key that is not needed, to be deleted at PortOne."""

    reason: str
    unneeded_key_id: int | None = None
    subscription_is_over: bool = False  # it has ended before it could begin


def activate_key(
    session: Session, checkout: CheckoutRow, key_id: int | None, key: Proved | None, *, now: datetime
) -> KeyActivation:
    """Activate the key of a locked, proved checkout, once however often this runs, unless a newer key has come."""
    if key_id is None or key is None:
        return KeyActivation("the charge was paid by hand")
    known = activation_queries.key(session, key_id)
    if known.status == BillingKeyStatus.DELETED:
        return KeyActivation("the key was registered too late, when it was given up: make a new link", key_id)
    label = key.card if key.card is not None and is_label(key.card) else ""
    activation_queries.activate(session, key_id, label=label, registered_at=key.registered_at, now=now)
    charges.lock_open_charges(session, checkout.subscription_code)
    subscription = subscription_queries.locked(session, checkout.subscription_code)
    assert subscription is not None, "subscriptions are never deleted"
    return _attach(session, checkout, subscription, key_id, key, now)


def _attach(
    session: Session, checkout: CheckoutRow, subscription: LockedSubscription, key_id: int, key: Proved, now: datetime
) -> KeyActivation:
    if subscription.status in {SubscriptionStatus.CANCELED, SubscriptionStatus.ENDED}:
        return KeyActivation("its subscription is over, so the key is not needed", key_id, subscription_is_over=True)
    if subscription.billing_key_id == key_id:
        return KeyActivation("the key is the subscription's already")
    if subscription.status == SubscriptionStatus.PENDING:
        plan = plan_of(plan_row(session, subscription.plan_code))
        start(session, subscription, plan, key_id, reason="its first billing key was registered", now=now)
        paid_without_key_queries.close_discrepancies(session, subscription.id, now=now)
        return KeyActivation("the subscription has its first billing key")
    current = (
        None if subscription.billing_key_id is None else activation_queries.key(session, subscription.billing_key_id)
    )
    if current is not None and current.status == BillingKeyStatus.ACTIVE:
        if checkout.purpose is CheckoutPurpose.REGISTER:
            return KeyActivation("the subscription has its first billing key already", key_id)
        if _is_older(key.registered_at, current.registered_at):
            return KeyActivation("the customer has registered a newer billing key meanwhile", key_id)
    return _replace(session, checkout, subscription, key_id, now)


def _is_older(registered_at: datetime | None, than: datetime | None) -> bool:
    """Return whether a key that is reported only now was registered before the one that is in use."""
    return registered_at is not None and than is not None and registered_at < than


def _replace(
    session: Session, checkout: CheckoutRow, subscription: LockedSubscription, key_id: int, now: datetime
) -> KeyActivation:
    """Charge the new key from now on, and at once for what was agreed to; only then is the old one unneeded."""
    if (due := due_subscription(session, subscription.id, now=now)) is not None:
        open_due_now(session, due, now=now)  # while the old key still decides how many periods may be open
    change = f"billing key {subscription.billing_key_id or 'none'} to {key_id}: registered in a payment window"
    changed = subscription_queries.change_key(session, subscription, key_id, reason=change, now=now)
    assert changed, "the row is locked, so no other process can have given it a key"
    consent = consents.newest(session, checkout.id)
    agreed_at = checkout.agreed_at if consent is None else consent.agreed_at
    assert agreed_at is not None, "no window opens without a consent"
    charged = consents.charge_what_was_agreed(session, subscription.id, consent, agreed_at=agreed_at, now=now)
    reason = f"the key was replaced; {charged.count} charges, {charged.amount:,} KRW, are made with it at once"
    return KeyActivation(reason, subscription.billing_key_id)
