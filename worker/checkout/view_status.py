"""The state around a checkout: what was paid by it, what has superseded it, and whether a key can be charged next."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy.orm import Session

from worker.checkout import order_queries, subject_queries
from worker.checkout.queries import CheckoutRow
from worker.checkout.subject_queries import ChargeRow
from worker.domain.states import (
    BILLED_SUBSCRIPTIONS,
    BillingKeyStatus,
    ChargeStatus,
    CheckoutPurpose,
    CheckoutStatus,
    SubscriptionStatus,
)
from worker.subscriptions import queries as subscription_queries


class Superseded(StrEnum):
    """Why there is nothing left to do with a link that was not used itself."""

    HAS_KEY = "has_key"  # its subscription has its first key meanwhile
    OVER = "over"  # its subscription is canceled or has ended
    SETTLED = "settled"  # its charge is paid or void


class KeyAvailability(StrEnum):
    """Whether a subscription's next charge has a billing key that can be charged."""

    WORKS = "works"
    MISSING = "missing"  # it is billed, but by no key that can be charged
    NOT_NEEDED = "not_needed"  # nothing falls due


def paid_in_windows(session: Session, checkout: CheckoutRow) -> int:
    """Return the sum of what windows of a checkout that is done were to pay and PortOne shows as paid, in won."""
    if checkout.status is not CheckoutStatus.DONE:
        return 0
    ids = {order.charge_id for order in order_queries.orders_of(session, checkout.id) if order.charge_id is not None}
    return subject_queries.paid_amount(session, ids) if ids else 0


def key_availability(session: Session, checkout: CheckoutRow) -> KeyAvailability:
    """Return whether the key that the subscription has now works, whichever it had when the link was made."""
    if checkout.subscription_status not in BILLED_SUBSCRIPTIONS:
        return KeyAvailability.NOT_NEEDED
    shown = subscription_queries.shown(session, checkout.subscription_code)
    works = shown is not None and shown["key_status"] == BillingKeyStatus.ACTIVE
    return KeyAvailability.WORKS if works else KeyAvailability.MISSING


def superseded(checkout: CheckoutRow, charge: ChargeRow | None) -> Superseded | None:
    """Return why a link is of no use any more, though it is neither used nor expired."""
    if checkout.status is CheckoutStatus.DONE:
        return None
    if checkout.purpose is CheckoutPurpose.PAY:
        settled = charge is not None and charge.status in {ChargeStatus.PAID, ChargeStatus.VOID}
        return Superseded.SETTLED if settled else None
    if checkout.subscription_status in {SubscriptionStatus.CANCELED, SubscriptionStatus.ENDED}:
        return Superseded.OVER
    started = checkout.subscription_status is not SubscriptionStatus.PENDING
    return Superseded.HAS_KEY if checkout.purpose is CheckoutPurpose.REGISTER and started else None
