"""PortOne's answers as JSON Schemas of our own, written from the documented field lists."""

from __future__ import annotations

from typing import Any

import jsonschema

TEXT = {"type": ["string", "null"]}
COUNT = {"type": "integer", "minimum": 0}


def text(limit: int) -> dict[str, Any]:
    return {"type": ["string", "null"], "maxLength": limit}


CANCEL = {
    "type": "object",
    "required": ["pg_tid", "amount", "cancelled_at", "reason", "cancellation_id"],
    "properties": {
        "pg_tid": {"type": "string"},
        "amount": {"type": "number"},
        "cancelled_at": COUNT,
        "reason": {"type": "string"},
        "cancellation_id": {"type": "string"},
        "receipt_url": TEXT,
    },
    "additionalProperties": False,
}
SCHEDULE: dict[str, Any] = {
    "type": "object",
    "required": ["customer_uid", "merchant_uid", "schedule_at", "amount", "schedule_status", "payment_status"],
    "properties": {
        "customer_uid": {"type": "string"},
        "merchant_uid": text(40),
        "imp_uid": text(32),
        "pg_provider": text(16),
        "pg_id": text(64),
        "customer_id": TEXT,
        **dict.fromkeys(["schedule_at", "executed_at", "revoked_at"], COUNT),
        "amount": {"type": "integer"},
        "currency": {"const": "KRW"},
        "name": text(40),
        "buyer_name": text(16),
        "buyer_email": text(64),
        "buyer_tel": text(16),
        "buyer_addr": text(128),
        "buyer_postcode": text(8),
        "custom_data": TEXT,
        "schedule_status": {"enum": ["scheduled", "executed", "revoked"]},
        "payment_status": {"enum": ["paid", "failed", "cancelled", None]},
        "fail_reason": TEXT,
        "promotion_id": TEXT,
    },
    "additionalProperties": False,
}
PAYMENT: dict[str, Any] = {
    "type": "object",
    "required": ["imp_uid", "merchant_uid", "amount", "cancel_amount", "currency", "status", "sandbox"],
    "properties": {
        "imp_uid": {"type": "string", "pattern": "^imps_[0-9]{12}$"},
        "merchant_uid": {"type": "string", "maxLength": 40},
        "pay_method": text(20),
        "channel": {"const": "api"},
        "pg_provider": text(16),
        "emb_pg_provider": text(16),
        "pg_tid": text(64),
        "pg_id": text(80),
        "sandbox": {"type": "boolean"},
        "escrow": {"type": "boolean"},
        "apply_num": text(20),
        **dict.fromkeys(["bank_code", "bank_name", "vbank_code", "vbank_name", "vbank_holder"], TEXT),
        **dict.fromkeys(["card_code", "card_name", "card_issuer_code", "card_issuer_name"], TEXT),
        **dict.fromkeys(["card_publisher_code", "card_publisher_name", "card_number"], TEXT),
        "card_quota": COUNT,
        "card_type": {"enum": [0, 1, None]},
        "vbank_num": text(32),
        "name": text(40),
        "amount": {"type": "integer"},
        "cancel_amount": {"type": "integer"},
        "currency": {"const": "KRW"},
        "buyer_name": text(16),
        "buyer_email": text(64),
        "buyer_tel": text(16),
        "buyer_addr": text(128),
        "buyer_postcode": text(8),
        "custom_data": TEXT,
        "user_agent": TEXT,
        "status": {"enum": ["ready", "paid", "cancelled", "failed"]},
        **dict.fromkeys(["started_at", "paid_at", "failed_at", "cancelled_at", "vbank_date", "vbank_issued_at"], COUNT),
        **dict.fromkeys(["fail_reason", "cancel_reason", "receipt_url"], TEXT),
        "cancel_history": {"type": "array", "items": CANCEL},
        "cancel_receipt_urls": {"type": "array", "items": TEXT},
        "deposit_history": {"type": "array"},
        "cash_receipt_issued": {"type": "boolean"},
        "promotion": {"type": "null"},
        "customer_uid": {"type": "string", "maxLength": 80},
        "customer_uid_usage": {"enum": ["payment", "payment.scheduled"]},
    },
    "additionalProperties": False,
}
PAGED = {
    "type": "object",
    "required": ["total", "previous", "next", "list"],
    "properties": {"total": COUNT, "previous": COUNT, "next": COUNT, "list": {"type": "array", "items": PAYMENT}},
    "additionalProperties": False,
}
TOKEN = {
    "type": "object",
    "required": ["access_token", "now", "expired_at"],
    "properties": {
        "access_token": {"type": "string", "pattern": "^[0-9a-f]{40}$"},
        "now": COUNT,
        "expired_at": COUNT,
    },
    "additionalProperties": False,
}
CUSTOMER = {
    "type": "object",
    "required": ["customer_uid", "pg_provider", "pg_id", "card_name", "inserted", "updated", "sandbox"],
    "properties": {
        "customer_uid": {"type": "string", "maxLength": 80},
        "pg_provider": {"type": "string", "maxLength": 16},
        "pg_id": {"type": "string", "maxLength": 80},
        "sandbox": {"type": "boolean"},
        **dict.fromkeys(["card_name", "card_code", "card_issuer_code", "card_issuer_name", "card_number"], TEXT),
        **dict.fromkeys(["card_publisher_code", "card_publisher_name", "customer_id"], TEXT),
        "card_type": {"enum": [0, 1, None]},
        "customer_name": text(20),
        "customer_tel": text(20),
        "customer_email": text(200),
        "customer_addr": text(200),
        "customer_postcode": text(8),
        "inserted": COUNT,
        "updated": COUNT,
    },
    "additionalProperties": False,
}
CHANNEL = {
    "type": "object",
    "required": ["pg_provider", "pg_id", "sandbox", "type"],
    "properties": {
        "pg_provider": {"type": "string", "maxLength": 16},
        "pg_id": {"type": "string", "maxLength": 80},
        "sandbox": {"type": "boolean"},
        "type": {"enum": ["payment", "api_payment", "certification"]},
        "channel_name": TEXT,
        "channel_key": text(55),
    },
    "additionalProperties": False,
}


def check(answer: Any, shape: dict[str, Any], *, status: int = 200) -> Any:
    """Check an HTTP response against the envelope of success and a shape; returns its `response`."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("application/json")
    body = answer.json()
    assert set(body) == {"code", "message", "response"}
    assert (body["code"], body["message"]) == (0, None), body
    jsonschema.validate(body["response"], shape)
    return body["response"]


def check_refusal(answer: Any, *, code: int, status: int = 200, message: str = "") -> None:
    """Check an HTTP response against the envelope of an error; `message` is a part of its text."""
    assert answer.headers["content-type"].startswith("application/json")
    body = answer.json()
    assert (answer.status_code, body["code"], body["response"]) == (status, code, None), answer.text
    assert message in body["message"]
