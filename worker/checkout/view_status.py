"""How things stand around a checkout: what was paid by it, what has superseded it, and what the next charge has."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from sqlalchemy import Row
from sqlalchemy.orm import Session

from worker.checkout import order_queries
from worker.checkout.links import CHARGE
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
    """What becomes of a subscription's next charge, as far as its key decides it."""

    WORKS = "works"
    MISSING = "missing"  # it is billed, but by no key that can be charged
    NOT_NEEDED = "not_needed"  # nothing falls due


def paid_in_windows(session: Session, row: Row[Any]) -> int:
    """Add up what windows of a checkout that is done were to pay and PortOne shows as paid."""
    if row.status != CheckoutStatus.DONE:
        return 0
    ids = {order.charge_id for order in order_queries.of_checkout(session, row.id)} - {None}
    charges = [session.execute(CHARGE, {"id": charge_id}).one() for charge_id in ids]
    return sum(charge.amount for charge in charges if charge.status == ChargeStatus.PAID)


def key_availability(session: Session, row: Row[Any]) -> KeyAvailability:
    """Look at the key that a subscription has now, whichever it had when its link was made."""
    if row.subscription_status not in BILLED_SUBSCRIPTIONS:
        return KeyAvailability.NOT_NEEDED
    shown = subscription_queries.shown(session, row.subscription_code)
    works = shown is not None and shown["key_status"] == BillingKeyStatus.ACTIVE
    return KeyAvailability.WORKS if works else KeyAvailability.MISSING


def superseded(row: Row[Any], charge: Row[Any] | None) -> Superseded | None:
    """Say why a link is good for nothing any more, though it is neither used nor expired."""
    if row.status == CheckoutStatus.DONE:
        return None
    purpose = CheckoutPurpose(row.purpose)
    if purpose is CheckoutPurpose.PAY:
        settled = charge is not None and charge.status in {ChargeStatus.PAID, ChargeStatus.VOID}
        return Superseded.SETTLED if settled else None
    if row.subscription_status in {SubscriptionStatus.CANCELED, SubscriptionStatus.ENDED}:
        return Superseded.OVER
    begun = row.subscription_status != SubscriptionStatus.PENDING
    return Superseded.HAS_KEY if purpose is CheckoutPurpose.REGISTER and begun else None
