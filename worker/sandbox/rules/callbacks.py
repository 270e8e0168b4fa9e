"""What the page that opened a window hears of it: the callback's fields, or the query of the redirect. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from worker.sandbox.rules.charge_requests import BUYER_LIMITS
from worker.sandbox.rules.payments import Payment
from worker.sandbox.rules.web_addresses import with_query
from worker.sandbox.rules.window_requests import WindowRefused

Callback = dict[str, Any]

# Taken over from the Payment under their own names [documented].
SHARED = (
    *("imp_uid", "merchant_uid", "pay_method", "name", "pg_provider", "emb_pg_provider", "pg_tid", "apply_num"),
    *("currency", "custom_data", "status", "paid_at", "receipt_url", "card_name", "card_number", "card_quota"),
    *BUYER_LIMITS,
)
# What a failed window was seen to tell of its payment.
SHARED_ON_FAILURE = ("imp_uid", "merchant_uid", "pay_method", "pg_provider")


def succeeded(payment: Payment) -> Callback:
    """Tell of a payment that was approved."""
    shared = {name: payment[name] for name in SHARED}
    return {
        "success": True,
        **shared,
        "paid_amount": payment["amount"],
        "pg_type": "payment",  # [seen]
        "error_code": None,
        "error_msg": None,
    }


def failed(payment: Payment, error_code: str, message: str) -> Callback:
    """Tell of a payment that was declined, or whose window was closed: it has an imp_uid all the same [seen]."""
    shared = {name: payment[name] for name in SHARED_ON_FAILURE}
    return {"success": False, **shared, "pg_type": "payment", "error_code": error_code, "error_msg": message}


def refused(merchant_uid: Any, refusal: WindowRefused) -> Callback:
    """Tell that no window was opened: there is no imp_uid then [documented]."""
    return {
        "success": False,
        "imp_uid": None,
        "merchant_uid": merchant_uid if isinstance(merchant_uid, str) else None,
        "error_code": refusal.error_code,
        "error_msg": str(refusal),
    }


def redirect_address(redirect_url: str, callback: Mapping[str, Any]) -> str:
    """Where a mobile browser is sent: imp_uid, merchant_uid, imp_success, and on failure code and text [documented]."""
    query = {
        "imp_uid": str(callback["imp_uid"]),
        "merchant_uid": str(callback["merchant_uid"]),
        "imp_success": "true" if callback["success"] else "false",
    }
    if not callback["success"]:
        query |= {"error_code": str(callback["error_code"]), "error_msg": str(callback["error_msg"])}
    return with_query(redirect_url, query)
