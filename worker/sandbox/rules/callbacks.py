"""The result that a window reports to the page that opened it: callback fields, or the redirect's query. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from worker.sandbox.rules.charge_requests import BUYER_LIMITS
from worker.sandbox.rules.payments import Payment
from worker.sandbox.rules.web_addresses import with_query
from worker.sandbox.rules.window_requests import WindowRefused

Callback = dict[str, Any]

# Copied from the payment under their own names [documented].
SHARED = (
    *("imp_uid", "merchant_uid", "pay_method", "name", "pg_provider", "emb_pg_provider", "pg_tid", "apply_num"),
    *("currency", "custom_data", "status", "paid_at", "receipt_url", "card_name", "card_number", "card_quota"),
    *BUYER_LIMITS,
)
# Fields of the payment in a failed window's callback [seen].
SHARED_ON_FAILURE = ("imp_uid", "merchant_uid", "pay_method", "pg_provider")


def succeeded(payment: Payment) -> Callback:
    """Return the callback of an approved payment."""
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
    """Return the callback of a declined payment or a closed window; it has an imp_uid too [seen]."""
    shared = {name: payment[name] for name in SHARED_ON_FAILURE}
    return {"success": False, **shared, "pg_type": "payment", "error_code": error_code, "error_msg": message}


def refused(merchant_uid: Any, refusal: WindowRefused) -> Callback:
    """Return the callback of a window that was not opened; it has no imp_uid [documented]."""
    return {
        "success": False,
        "imp_uid": None,
        "merchant_uid": merchant_uid if isinstance(merchant_uid, str) else None,
        "error_code": refusal.error_code,
        "error_msg": str(refusal),
    }


def redirect_address(redirect_url: str, callback: Mapping[str, Any]) -> str:
    """Return the mobile redirect: imp_uid, merchant_uid, imp_success, and on failure code and text [documented]."""
    query = {
        "imp_uid": str(callback["imp_uid"]),
        "merchant_uid": str(callback["merchant_uid"]),
        "imp_success": "true" if callback["success"] else "false",
    }
    if not callback["success"]:
        query |= {"error_code": str(callback["error_code"]), "error_msg": str(callback["error_msg"])}
    return with_query(redirect_url, query)
