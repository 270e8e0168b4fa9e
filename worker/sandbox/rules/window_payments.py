"""The Payment of a payment window: `ready` while the window is open, then paid or failed. Pure."""

from __future__ import annotations

from worker.sandbox.rules import payments
from worker.sandbox.rules.billing_keys import BillingKey
from worker.sandbox.rules.charge_requests import ChargeRequest
from worker.sandbox.rules.payments import Payment
from worker.sandbox.rules.providers import Instrument
from worker.sandbox.rules.window_requests import Use
from worker.sandbox.rules.windows import Window
from worker.sandbox.switches import RegistrationAmount

# What a key stores of its buyer [assumed: PortOne takes it from the window's buyer fields].
HOLDER = {
    "customer_name": "buyer_name",
    "customer_tel": "buyer_tel",
    "customer_email": "buyer_email",
    "customer_addr": "buyer_addr",
    "customer_postcode": "buyer_postcode",
}


def imp_uid(number: int) -> str:
    """PortOne's id of a window's payment: `imp_` and 12 digits [seen]."""
    return f"imp_{number:012d}"


def new_payment(window: Window, *, instrument: Instrument, pg_tid: str) -> Payment:
    """Return a window's payment before it has an outcome.

    It has no customer_uid: PortOne adds it once the key is issued [documented].
    """
    request = window.request
    asked = ChargeRequest(
        customer_uid="",
        merchant_uid=request.merchant_uid,
        amount=request.amount,
        name=request.name,
        currency="KRW",
        tax_free=request.tax_free,
        card_quota=0,
        buyer=request.buyer,
        custom_data=request.custom_data,
        vat_amount=request.vat_amount,
    )
    started = payments.started(
        asked,
        BillingKey("", request.channel, instrument),
        number=window.number,
        at=window.opened_at,
        pg_tid=pg_tid,
        user_agent=window.user_agent,
    )
    channel = "mobile" if request.mobile else "pc"  # [documented]
    return {
        **started,
        "imp_uid": window.imp_uid,
        "channel": channel,
        "customer_uid": None,
        "customer_uid_usage": None,
    }


def ready(payment: Payment) -> Payment:
    """Return the payment as look-ups show it while the window is open, or after it was left [documented]."""
    return {**payment, "apply_num": None}


def approved(window: Window, payment: Payment, *, at: int, recorded: RegistrationAmount) -> Payment:
    """Return the payment after an approval.

    A registration becomes `paid` with customer_uid_usage `issue` [documented]; that one without a charge is `paid` too,
    with the amount 0 or the one shown, and has no receipt, is assumed.
    """
    paid, use = payments.paid(payment, at=at), window.request.use
    if use is Use.PAYMENT:
        return paid
    paid = {**paid, "customer_uid": window.request.customer_uid, "customer_uid_usage": "issue"}
    if use is Use.REGISTRATION_WITH_PAYMENT:
        return paid
    amount = payment["amount"] if recorded is RegistrationAmount.SHOWN else 0
    return {**paid, "amount": amount, "apply_num": None, "receipt_url": None}


def registered(window: Window, *, instrument: Instrument, at: int) -> BillingKey:
    """Return the billing key of an approved registration; it keeps the buyer's instrument [documented]."""
    request = window.request
    holder = {name: value for name, field in HOLDER.items() if (value := request.buyer[field])}
    return BillingKey(
        customer_uid=request.customer_uid or "",
        channel=request.channel,
        instrument=instrument,
        holder=holder,
        inserted=at,
        updated=at,
    )
