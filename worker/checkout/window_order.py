"""Preparing a payment window: the attempt it may make and the key it may register are committed before it can open."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from worker.checkout import order_queries
from worker.checkout.queries import CheckoutRow
from worker.config.settings import Settings
from worker.domain.errors import Refused
from worker.domain.merchant_uid import MAX_NUMBER, derive, key_only_uid
from worker.domain.states import AttemptStatus, ChargeStatus, CheckoutPurpose, SubscriptionStatus, Via
from worker.domain.window_evidence import KEY_KEPT, WINDOW_LIFE
from worker.ledger import charges, discrepancies, window_attempts
from worker.ledger.terms import own_terms
from worker.ledger.window_attempts import LockedCharge
from worker.pg import catalog
from worker.pg.channels import channel_for
from worker.pg.facts import KeyRegistration, WindowUse
from worker.pg.window.request import WindowOrder
from worker.subscriptions import activation_queries
from worker.subscriptions import queries as subscription_queries
from worker.subscriptions.activation import first_charge
from worker.subscriptions.activation_queries import LockedKey
from worker.subscriptions.queries import LockedSubscription
from worker.subscriptions.start_terms import amount_objection

IN_QUESTION = "This charge has to be checked first; please contact the shop."
PAID_ELSEWHERE = "A payment for this subscription has to be checked first; please contact the shop."


@dataclass(frozen=True, slots=True)
class PreparedWindow:
    """What a window is to do: pay a charge, register a key, or both."""

    use: WindowUse
    order: WindowOrder
    customer_uid: str | None = field(repr=False)
    key_id: int | None
    charge_id: int | None


def prepare_window(
    session: Session, settings: Settings, checkout: CheckoutRow, pg: str, now: datetime
) -> PreparedWindow:
    """Commit what the window may do, and return its order. Raises Refused for what is not owed or not needed."""
    window_attempts.lock_attempts(session, checkout.subscription_id)
    match checkout.purpose:
        case CheckoutPurpose.PAY:
            assert checkout.charge_id is not None, "a checkout that pays has its charge"
            charge = window_attempts.locked_charge(session, checkout.charge_id)
            assert charge is not None, "charges are never deleted"
            return _payment(session, settings, charge, pg, None, now)
        case CheckoutPurpose.REGISTER:
            return _registration(session, settings, checkout, pg, now)
        case CheckoutPurpose.REPLACE:
            _lock_running(session, checkout.subscription_code)
            return _key_alone(session, settings, checkout, pg, now)


def _registration(
    session: Session, settings: Settings, checkout: CheckoutRow, pg: str, now: datetime
) -> PreparedWindow:
    """Register the first key, and let the window pay the first period if it can and is to."""
    subscription = _lock_running(session, checkout.subscription_code)
    if subscription.status != SubscriptionStatus.PENDING:
        raise Refused("This subscription has its billing key already; ask for a link that replaces it.")
    if discrepancies.has_payment_not_in_records(session, settings.merchant_uid_prefix + subscription.code):
        raise Refused(PAID_ELSEWHERE)
    charge = None
    if checkout.with_payment and catalog.charges_in_window(pg):
        plan = own_terms(session, subscription.id).plan
        charge_id = first_charge(session, subscription.id, plan, subscription.anchor_on, now=now)
        charge = None if charge_id is None else window_attempts.locked_charge(session, charge_id)
    if charge is None or charge.status == ChargeStatus.PAID:
        return _key_alone(session, settings, checkout, pg, now)
    use = WindowUse.REGISTRATION_WITH_PAYMENT
    key = _key_to_register(session, settings, checkout, pg, use, charge.last_key_id, now)
    activation_queries.move_anchor(session, subscription.id, charge.period_start.astimezone(plan.time_zone).date())
    return _payment(session, settings, charge, pg, key, now)


def _payment(
    session: Session, settings: Settings, charge: LockedCharge, pg: str, key: LockedKey | None, now: datetime
) -> PreparedWindow:
    """Commit the attempt that the window may make: from here on nothing else pays the period beside it.

    `key` is what the window registers while it pays; None for a payment by hand.
    """
    key_id = charge.last_key_id or charge.billing_key_id if key is None else key.id
    _require_payable(charge, by_hand=key is None)
    number, merchant_uid = _next_order(settings, charge)
    started = key_id is not None and window_attempts.begin(
        session,
        charge,
        number=number,
        merchant_uid=merchant_uid,
        billing_key_id=key_id,
        lease=timedelta(seconds=settings.checkout_seconds),
        life=WINDOW_LIFE,
        now=now,
    )
    if not started:
        raise Refused(IN_QUESTION)
    order = WindowOrder(
        merchant_uid=merchant_uid,
        name=charge.order_name,
        amount=charge.amount,
        currency=charge.currency,
        tax_free=charge.tax_free or None,
        vat_amount=charge.vat_amount if catalog.PGS[pg].window.vat_amount else None,
        # Without it PAYCO would offer a virtual account, which is paid days later (documented).
        pay_method="card" if key is None else None,
    )
    if key is None:
        return PreparedWindow(WindowUse.PAYMENT, order, None, None, charge.id)
    return PreparedWindow(WindowUse.REGISTRATION_WITH_PAYMENT, order, key.customer_uid, key.id, charge.id)


def _require_payable(charge: LockedCharge, *, by_hand: bool) -> None:
    if charge.status == ChargeStatus.PAID:
        raise Refused("This is paid already.")
    if charge.in_question:
        raise Refused(IN_QUESTION)
    if charge.may_have_lost_windows:
        raise Refused("Payments are being compared just now; please try again tomorrow.")
    if charge.status == ChargeStatus.CHARGING:
        if charge.last_via != Via.WINDOW:
            raise Refused("This is being charged just now; please look again in a few minutes.")
    elif not (charge.is_payable if by_hand else charge.status == ChargeStatus.DUE):
        raise Refused(f"This is not owed any more ({charge.status}).")


def _next_order(settings: Settings, charge: LockedCharge) -> tuple[int, str]:
    """Return number and merchant_uid: those that a window or a send was proved to have left unpaid, before new ones."""
    if (
        charge.last_number is not None
        and charge.last_merchant_uid is not None
        and charge.last_status != AttemptStatus.DECLINED
    ):
        return charge.last_number, charge.last_merchant_uid
    number = (charge.last_number or 0) + 1
    if number > MAX_NUMBER:
        raise Refused("This charge was tried too often; please contact the shop.")
    prefix = settings.merchant_uid_prefix
    return number, derive(prefix, charge.subscription_code, charge.period_start, number)


def _key_alone(session: Session, settings: Settings, checkout: CheckoutRow, pg: str, now: datetime) -> PreparedWindow:
    """Register a key and charge nothing, under an order that no period's payment can be taken for.

    PortOne wants another merchant_uid for every request (documented). No money moves by this one, so nothing needs an
    earlier window's to stand in its way; the key is the same one in all of them.
    """
    known_id = _key_being_registered(session, checkout, pg)
    key = _key_to_register(session, settings, checkout, pg, WindowUse.REGISTRATION, known_id, now)
    plan = own_terms(session, checkout.subscription_id).plan
    if objection := amount_objection(plan, pg, max_amount=settings.max_amount):
        raise Refused(f"{plan.amount:,} {plan.currency} cannot be charged this way: {objection}.")
    shows = catalog.PGS[pg].window.keys is KeyRegistration.SHOWS
    order = WindowOrder(
        merchant_uid=key_only_uid(settings.merchant_uid_prefix, checkout.subscription_code, secrets.randbits(64)),
        name=plan.name,
        amount=plan.amount if shows else 0,
        currency=plan.currency,
    )
    return PreparedWindow(WindowUse.REGISTRATION, order, key.customer_uid, key.id, None)


def _key_being_registered(session: Session, checkout: CheckoutRow, pg: str) -> int | None:
    """Return the key that another window of this link and PG registers already: the new window registers the same."""
    orders = order_queries.orders_of(session, checkout.id)
    return next((each.billing_key_id for each in orders if each.charge_id is None and each.pg == pg), None)


def _key_to_register(
    session: Session,
    settings: Settings,
    checkout: CheckoutRow,
    pg: str,
    use: WindowUse,
    known_id: int | None,
    now: datetime,
) -> LockedKey:
    """Return the key that the window registers: the known one while it can be, else a new one of this PG."""
    forget_at = now + WINDOW_LIFE + KEY_KEPT
    if known_id is not None:
        known = activation_queries.key(session, known_id)
        if known.pg == pg and known.is_registering:
            activation_queries.keep_key(session, known.id, forget_at=forget_at)
            return known
        if use is WindowUse.REGISTRATION_WITH_PAYMENT and known.pg != pg:
            raise Refused(f"A payment through {known.pg} was started for this; finish it there, or try again tomorrow.")
    contract = channel_for(channel_entries(settings, use), pg, use, sandbox=not settings.live)
    # A key can be charged by anyone who knows it, so it is random; its beginning tells whose it is in PortOne's list.
    customer_uid = f"{settings.merchant_uid_prefix}{checkout.subscription_code}{secrets.token_hex(16)}"
    added = activation_queries.add_key(
        session, customer_uid=customer_uid, pg=pg, channel_key=contract.channel_key, forget_at=forget_at, now=now
    )
    return activation_queries.key(session, added)


def _lock_running(session: Session, code: str) -> LockedSubscription:
    charges.lock_open_charges(session, code)
    subscription = subscription_queries.locked(session, code)
    if subscription is None or subscription.status in {SubscriptionStatus.CANCELED, SubscriptionStatus.ENDED}:
        raise Refused("This subscription is over; it needs no billing key.")
    return subscription


def channel_entries(settings: Settings, use: WindowUse) -> tuple[str, ...]:
    """Return the setting's entries of the channels for a use."""
    return settings.payment_channels if use is WindowUse.PAYMENT else settings.key_channels
