"""The payment document, and how it changes when it is paid, fails, or is cancelled. Pure."""

from __future__ import annotations

from typing import Any

from worker.sandbox.rules.billing_keys import CARD, NO_CARD, BillingKey
from worker.sandbox.rules.charge_requests import BUYER_LIMITS, ChargeRequest
from worker.sandbox.rules.providers import Instrument, pay_method

Payment = dict[str, Any]  # the JSON document as PortOne sends it: times in UNIX seconds, absent ones 0 [seen]

RECEIPTS = "https://receipt.{pg_provider}.example.invalid/{pg_tid}"  # a stand-in: real ones are on the PG's host
UNUSED_FIELDS: Payment = {
    "bank_code": None,
    "bank_name": None,
    "vbank_code": None,
    "vbank_name": None,
    "vbank_num": None,
    "vbank_holder": None,
    "vbank_date": 0,
    "vbank_issued_at": 0,
    "deposit_history": [],
    "cash_receipt_issued": False,
    "promotion": None,
}


def imp_uid(number: int) -> str:
    """PortOne's id of a server charge: `imps_` and 12 digits [seen]."""
    return f"imps_{number:012d}"


def started(
    request: ChargeRequest, key: BillingKey, *, number: int, at: int, pg_tid: str, user_agent: str | None
) -> Payment:
    """Return a payment that has no outcome yet; it is never shown in this state."""
    return {
        "imp_uid": imp_uid(number),
        "merchant_uid": request.merchant_uid,
        "pay_method": pay_method(key.instrument),
        "channel": "api",  # a charge without a window [documented]
        "pg_provider": key.channel.pg_provider,
        "emb_pg_provider": None,  # [seen for Kakao money; assumed for the others]
        "pg_tid": pg_tid,
        "pg_id": key.channel.pg_id,
        "sandbox": key.channel.sandbox,
        "escrow": False,
        **_instrument_fields(request, key, number),
        **UNUSED_FIELDS,
        "name": request.name,
        "amount": request.amount,
        "cancel_amount": 0,
        "currency": request.currency,
        **{name: request.buyer.get(name) for name in BUYER_LIMITS},
        "custom_data": request.custom_data,
        "user_agent": user_agent,
        "status": "ready",
        "started_at": at,
        "paid_at": 0,
        "failed_at": 0,
        "cancelled_at": 0,
        "fail_reason": None,
        "cancel_reason": None,
        "receipt_url": None,
        "cancel_history": [],
        "cancel_receipt_urls": [],
        "customer_uid": key.customer_uid,
        "customer_uid_usage": "payment",
    }


def paid(payment: Payment, *, at: int) -> Payment:
    receipt = RECEIPTS.format(**payment)
    return {**payment, "status": "paid", "paid_at": at, "failed_at": 0, "fail_reason": None, "receipt_url": receipt}


def failed(payment: Payment, *, at: int, reason: str) -> Payment:
    """Return the payment as failed; it keeps its ids and has no approval number [both assumed]."""
    return {**payment, "status": "failed", "failed_at": at, "fail_reason": reason, "apply_num": None}


def cancellable(payment: Payment) -> int:
    """Return what is left to refund, in KRW."""
    return int(payment["amount"] - payment["cancel_amount"])


def cancelled(payment: Payment, *, amount: int, reason: str, at: int, cancellation_id: str) -> Payment:
    """Return the payment with a part or the rest refunded; after a part it stays `paid` [assumed]."""
    entry = {
        "pg_tid": payment["pg_tid"],
        "amount": amount,
        "cancelled_at": at,
        "reason": reason,
        "cancellation_id": cancellation_id,
        "receipt_url": payment["receipt_url"],
    }
    total = payment["cancel_amount"] + amount
    return {
        **payment,
        "status": "cancelled" if total == payment["amount"] else payment["status"],
        "cancel_amount": total,
        "cancelled_at": at,
        "cancel_reason": reason,
        "cancel_history": [*payment["cancel_history"], entry],
        "cancel_receipt_urls": [*payment["cancel_receipt_urls"], payment["receipt_url"]],
    }


def _instrument_fields(request: ChargeRequest, key: BillingKey, number: int) -> Payment:
    if key.instrument is Instrument.MONEY:  # [seen for Kakao money; assumed for PAYCO points]
        return {**NO_CARD, "card_quota": 0, "apply_num": ""}
    # [seen for Nice; assumed for a Kakao Pay or PAYCO card]
    return {**CARD, "card_quota": request.card_quota, "apply_num": f"{number % 10**8:08d}"}
