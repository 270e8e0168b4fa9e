"""What a window is opened for, committed before it can be: the attempt it may make, the key it may register."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row
from sqlalchemy.orm import Session

from worker.checkout import order_queries as orders
from worker.checkout.links import is_payable_by_hand
from worker.config.settings import Settings
from worker.database.mapping import plan_of
from worker.domain.errors import Refused
from worker.domain.merchant_uid import MAX_NUMBER, derive, key_only_uid
from worker.domain.states import AttemptStatus, ChargeStatus, CheckoutPurpose, SubscriptionStatus, Via
from worker.domain.window_evidence import KEY_KEPT, WINDOW_LIFE
from worker.ledger import charges, discrepancies, window_attempts
from worker.pg import catalog
from worker.pg.channels import channel_for
from worker.pg.facts import KeyWindow, WindowUse
from worker.pg.window.request import WindowOrder
from worker.subscriptions import activation_queries
from worker.subscriptions import queries as subscription_queries
from worker.subscriptions.activation import first_charge
from worker.subscriptions.plans import plan_row
from worker.subscriptions.start_terms import amount_objection

IN_QUESTION = "This charge needs a person to look at it; please contact the shop."

PAID_ELSEWHERE = "A payment for this subscription needs a person to look at it first; please contact the shop."


@dataclass(frozen=True, slots=True)
class PreparedWindow:
    """What a window is to do: pay a charge, register a key, or both."""

    use: WindowUse
    order: WindowOrder
    customer_uid: str | None = field(repr=False)
    key_id: int | None
    charge_id: int | None


def prepare_window(session: Session, settings: Settings, row: Row[Any], pg: str, now: datetime) -> PreparedWindow:
    """Commit what the window may do, and give its order. Raises Refused for what is not owed or not needed."""
    window_attempts.lock_attempts(session, row.subscription_id)
    match CheckoutPurpose(row.purpose):
        case CheckoutPurpose.PAY:
            return _payment(session, settings, row, pg, None, now)
        case CheckoutPurpose.REGISTER:
            return _registration(session, settings, row, pg, now)
        case CheckoutPurpose.REPLACE:
            _running(session, row.subscription_code)
            return _key_alone(session, settings, row, pg, now)


def _registration(session: Session, settings: Settings, row: Row[Any], pg: str, now: datetime) -> PreparedWindow:
    """Register the first key, and let the window pay the first period if it can and is to."""
    subscription = _running(session, row.subscription_code)
    if subscription.status != SubscriptionStatus.PENDING:
        raise Refused("This subscription has its billing key already; ask for a link that replaces it.")
    if discrepancies.is_in_question(session, settings.merchant_uid_prefix + subscription.code):
        raise Refused(PAID_ELSEWHERE)
    charge = None
    if row.with_payment and catalog.charges_in_window(pg):
        plan = plan_of(plan_row(session, subscription.plan_code))
        charge_id = first_charge(session, subscription.id, plan, subscription.anchor_on, now=now)
        charge = None if charge_id is None else window_attempts.locked_charge(session, charge_id)
    if charge is None or charge.status == ChargeStatus.PAID:
        return _key_alone(session, settings, row, pg, now)
    key = _key_of(session, settings, row, pg, WindowUse.REGISTRATION_WITH_PAYMENT, charge.last_key_id, now)
    activation_queries.move_anchor(session, subscription.id, charge.period_start.astimezone(plan.time_zone).date())
    return _payment(session, settings, row, pg, (charge, key), now)


def _payment(
    session: Session,
    settings: Settings,
    row: Row[Any],
    pg: str,
    registering: tuple[Row[Any], Row[Any]] | None,
    now: datetime,
) -> PreparedWindow:
    """Commit the attempt that the window may make: from here on nothing else pays the period beside it."""
    charge = registering[0] if registering else window_attempts.locked_charge(session, row.charge_id)
    assert charge is not None, "charges are never deleted"
    key_id = registering[1].id if registering else charge.last_key_id or charge.billing_key_id
    _require_payable(charge, by_hand=registering is None)
    number, merchant_uid = _number(settings, charge)
    begun = key_id is not None and window_attempts.begin(
        session,
        charge,
        number=number,
        merchant_uid=merchant_uid,
        billing_key_id=key_id,
        lease=timedelta(seconds=settings.checkout_seconds),
        life=WINDOW_LIFE,
        now=now,
    )
    if not begun:
        raise Refused(IN_QUESTION)
    order = WindowOrder(
        merchant_uid=merchant_uid,
        name=charge.order_name,
        amount=charge.amount,
        currency=charge.currency,
        tax_free=charge.tax_free or None,
        vat_amount=charge.vat_amount if catalog.PGS[pg].window.vat_amount else None,
        # Without it PAYCO would offer a virtual account, which is paid days later (documented).
        pay_method=None if registering else "card",
    )
    if registering is None:
        return PreparedWindow(WindowUse.PAYMENT, order, None, None, charge.id)
    return PreparedWindow(
        WindowUse.REGISTRATION_WITH_PAYMENT, order, registering[1].customer_uid, registering[1].id, charge.id
    )


def _require_payable(charge: Row[Any], *, by_hand: bool) -> None:
    if charge.status == ChargeStatus.PAID:
        raise Refused("This is paid already.")
    if charge.in_question:
        raise Refused(IN_QUESTION)
    if charge.restored_lately:
        raise Refused("Payments are being compared just now; please try again tomorrow.")
    if charge.status == ChargeStatus.CHARGING:
        if charge.last_via != Via.WINDOW:
            raise Refused("This is being charged just now; please look again in a few minutes.")
    elif not (is_payable_by_hand(charge) if by_hand else charge.status == ChargeStatus.DUE):
        raise Refused(f"This is not owed any more ({charge.status}).")


def _number(settings: Settings, charge: Row[Any]) -> tuple[int, str]:
    """Give the order's number: the one a window or a send was proved to have left unpaid, before any new one."""
    if charge.last_merchant_uid is not None and charge.last_status != AttemptStatus.DECLINED:
        return charge.last_number, charge.last_merchant_uid
    number = (charge.last_number or 0) + 1
    if number > MAX_NUMBER:
        raise Refused("This charge was tried too often; please contact the shop.")
    prefix = settings.merchant_uid_prefix
    return number, derive(prefix, charge.subscription_code, charge.period_start, number)


def _key_alone(session: Session, settings: Settings, row: Row[Any], pg: str, now: datetime) -> PreparedWindow:
    """Register a key and charge nothing, under an order that no period's payment can be taken for.

    PortOne wants another merchant_uid for every request (documented). No money moves by this one, so nothing needs an
    earlier window's to stand in its way; the key is the same one in all of them.
    """
    key = _key_of(session, settings, row, pg, WindowUse.REGISTRATION, _begun(session, row, pg), now)
    prefix, code = settings.merchant_uid_prefix, row.subscription_code
    plan = plan_of(plan_row(session, subscription_queries.locked(session, code).plan_code))  # type: ignore[union-attr]  # locked before
    if objection := amount_objection(plan, pg, max_amount=settings.max_amount):
        raise Refused(f"{plan.amount:,} {plan.currency} cannot be charged this way: {objection}.")
    shows = catalog.PGS[pg].window.keys is KeyWindow.SHOWS
    order = WindowOrder(
        merchant_uid=key_only_uid(prefix, code, secrets.randbits(64)),
        name=plan.name,
        amount=plan.amount if shows else 0,
        currency=plan.currency,
    )
    return PreparedWindow(WindowUse.REGISTRATION, order, key.customer_uid, key.id, None)


def _begun(session: Session, row: Row[Any], pg: str) -> int | None:
    """Give the key that a window of this link and PG registers already: another window registers the same."""
    alone = (each for each in orders.of_checkout(session, row.id) if each.charge_id is None and each.pg == pg)
    begun = next(alone, None)
    return None if begun is None else int(begun.billing_key_id)


def _key_of(
    session: Session,
    settings: Settings,
    row: Row[Any],
    pg: str,
    use: WindowUse,
    known_id: int | None,
    now: datetime,
) -> Row[Any]:
    """Give the key that the window registers: the one that it was to register before, or a new one of this PG."""
    forget_at = now + WINDOW_LIFE + KEY_KEPT
    if known_id is not None:
        known = activation_queries.key(session, known_id)
        if known.pg == pg and activation_queries.is_registering(known):
            activation_queries.keep_key(session, known.id, forget_at=forget_at)
            return known
        if use is WindowUse.REGISTRATION_WITH_PAYMENT and known.pg != pg:
            raise Refused(f"A payment through {known.pg} was begun for this; finish it there, or try again tomorrow.")
    contract = channel_for(channel_entries(settings, use), pg, use, sandbox=not settings.live)
    # Whoever knows it can charge the key, so it is drawn; and it says whose it is, for whoever looks at PortOne's list.
    customer_uid = f"{settings.merchant_uid_prefix}{row.subscription_code}{secrets.token_hex(16)}"
    added = activation_queries.add_key(
        session, customer_uid=customer_uid, pg=pg, channel_key=contract.channel_key, forget_at=forget_at, now=now
    )
    return activation_queries.key(session, added)


def _running(session: Session, code: str) -> Row[Any]:
    charges.lock_open_charges(session, code)
    row = subscription_queries.locked(session, code)
    if row is None or row.status in {SubscriptionStatus.CANCELED, SubscriptionStatus.ENDED}:
        raise Refused("This subscription is over; it needs no billing key.")
    return row


def channel_entries(settings: Settings, use: WindowUse) -> tuple[str, ...]:
    return settings.payment_channels if use is WindowUse.PAYMENT else settings.key_channels
