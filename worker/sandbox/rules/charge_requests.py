"""Reading and validating the body of `again`: fields, lengths, amounts. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from worker.sandbox.rules import texts
from worker.sandbox.rules.answers import ApiError, bad_request, not_in_sandbox
from worker.sandbox.rules.calls import Call
from worker.sandbox.rules.web_addresses import read_notice_urls

# Longest texts, in characters [documented].
REQUIRED_LIMITS = {"customer_uid": 80, "merchant_uid": 40}
BUYER_LIMITS = {
    "buyer_name": 16,
    "buyer_email": 64,
    "buyer_tel": 16,
    "buyer_addr": 128,
    "buyer_postcode": 8,
}
NAME_LIMIT = 40
CHANNEL_KEY_LIMIT = 55
CHOICES = {"product_type": ("real", "digital"), "cash_receipt_type": ("person", "company", "anonymous")}
FLAGS = ("interest_free_by_merchant", "use_card_point")
HIGHEST_NUMBER = 10**12  # KRW; a sanity bound of the sandbox, not PortOne's


@dataclass(frozen=True, slots=True)
class ChargeRequest:
    """A readable `again` request. Money is whole KRW; a vat_amount of None was not stated, and is calculated."""

    customer_uid: str = field(repr=False)
    merchant_uid: str
    amount: int
    name: str | None
    currency: str
    tax_free: int
    card_quota: int
    buyer: Mapping[str, str | None] = field(repr=False)
    custom_data: str | None = field(repr=False)
    notice_urls: tuple[str, ...] = ()
    vat_amount: int | None = None
    product_type: str | None = None
    browser_ip: str | None = field(default=None, repr=False)
    channel_key: str | None = None

    def given(self, name: str) -> object:
        """Return a field that some PGs require; None or empty when it was left out."""
        return self.buyer.get(name) if name in BUYER_LIMITS else getattr(self, name)


def read(call: Call) -> ChargeRequest:
    """Return the request; raises ApiError with HTTP 400 [the status was seen, the wordings are assumed].

    `name` may be left out: the Swagger requires it, but charges without one were seen to work. A field that is
    longer than documented is rejected [assumed: PGs differ, some truncate].
    """
    required = {name: _limited(call, name, limit, needed=True) for name, limit in REQUIRED_LIMITS.items()}
    request = ChargeRequest(
        customer_uid=required["customer_uid"] or "",
        merchant_uid=required["merchant_uid"] or "",
        amount=_amount(call),
        name=_limited(call, "name", NAME_LIMIT),
        currency=call.text("currency") or "KRW",
        tax_free=whole_number(call, "tax_free") or 0,
        card_quota=whole_number(call, "card_quota") or 0,
        buyer={name: _limited(call, name, limit) for name, limit in BUYER_LIMITS.items()},
        custom_data=call.text("custom_data"),
        notice_urls=read_notice_urls(call.fields["notice_url"]) if "notice_url" in call.fields else (),
        vat_amount=whole_number(call, "vat_amount"),
        product_type=_choice(call, "product_type"),
        browser_ip=call.text("browser_ip"),
        channel_key=_limited(call, "channel_key", CHANNEL_KEY_LIMIT),
    )
    if request.tax_free > request.amount:
        raise ApiError(bad_request(texts.TAX_FREE_TOO_MUCH))
    if request.tax_free + (request.vat_amount or 0) > request.amount:
        raise ApiError(bad_request(texts.VAT_TOO_MUCH))
    _check_the_rest(call)
    return request


def _check_the_rest(call: Call) -> None:
    """Reject invalid values of fields that change nothing here. Their formats are documented."""
    _choice(call, "cash_receipt_type")
    if whole_number(call, "product_count") == 0:
        raise ApiError(bad_request(texts.FIELD_WRONG.format(field="product_count")))
    for name in FLAGS:
        if str(call.fields.get(name) or "false").lower() not in ("true", "false"):
            raise ApiError(bad_request(texts.FIELD_WRONG.format(field=name)))
    for name in ("custom_data", "bypass", "promotion_id", "browser_ip"):
        if not isinstance(call.fields.get(name) or "", str):
            raise ApiError(bad_request(texts.FIELD_WRONG.format(field=name)))
    if (bypass := call.text("bypass")) is not None and not _is_json(bypass):
        raise ApiError(bad_request(texts.FIELD_WRONG.format(field="bypass")))
    if (day := extra(call).get("naverUseCfm")) not in (None, "") and not _is_day(day):
        raise ApiError(bad_request(texts.FIELD_WRONG.format(field="extra.naverUseCfm")))
    if call.text("promotion_id") is not None:
        raise ApiError(not_in_sandbox("promotion_id"))


def extra(call: Call) -> Mapping[str, Any]:
    """Return `extra`: an object in JSON, `extra[name]` in a form [documented]."""
    given = call.fields.get("extra")
    if given is not None and given != "" and not isinstance(given, dict):
        raise ApiError(bad_request(texts.FIELD_WRONG.format(field="extra")))
    named = {key[6:-1]: value for key, value in call.fields.items() if key.startswith("extra[") and key.endswith("]")}
    return {**named, **(given or {})}


def whole_number(call: Call, name: str) -> int | None:
    """Return a number that may come as JSON or as a form's text; None when left out."""
    value = call.fields.get(name)
    if value is None or value == "":
        return None
    number = _decimal(value)
    if number is None or number < 0:
        raise ApiError(bad_request(texts.FIELD_NOT_A_NUMBER.format(field=name)))
    if number != number.to_integral_value():
        raise ApiError(bad_request(texts.AMOUNT_NOT_WHOLE))
    return int(number)


def _amount(call: Call) -> int:
    amount = whole_number(call, "amount")
    if amount is None:
        raise ApiError(bad_request(texts.FIELD_MISSING.format(field="amount")))
    return amount


def _decimal(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() and abs(number) <= HIGHEST_NUMBER else None


def _choice(call: Call, name: str) -> str | None:
    text = call.text(name)
    if text is not None and text not in CHOICES[name]:
        raise ApiError(bad_request(texts.FIELD_WRONG.format(field=name)))
    return text


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _is_day(value: Any) -> bool:
    """Return whether a value is a date written YYYYMMDD."""
    if not isinstance(value, str) or not (value.isascii() and value.isdigit() and len(value) == len("YYYYMMDD")):
        return False
    try:
        date(int(value[:4]), int(value[4:6]), int(value[6:]))
    except ValueError:
        return False
    return True


def _limited(call: Call, name: str, limit: int, *, needed: bool = False) -> str | None:
    text = call.text(name)
    if text is None and needed:
        raise ApiError(bad_request(texts.FIELD_MISSING.format(field=name)))
    if text is not None and len(text) > limit:
        raise ApiError(bad_request(texts.FIELD_TOO_LONG.format(field=name, limit=limit)))
    return text
