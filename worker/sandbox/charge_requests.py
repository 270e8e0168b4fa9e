"""Reading the body of `again`: which fields there are, how long they may be, what an amount is. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from worker.sandbox import texts
from worker.sandbox.answers import Refused, bad_request
from worker.sandbox.calls import Call
from worker.sandbox.web_addresses import read_notice_urls

# [documented]
REQUIRED_LIMITS = {"customer_uid": 80, "merchant_uid": 40}
BUYER_LIMITS = {
    "buyer_name": 16,
    "buyer_email": 64,
    "buyer_tel": 16,
    "buyer_addr": 128,
    "buyer_postcode": 8,
}
NAME_LIMIT = 40
HIGHEST_NUMBER = 10**12  # a sanity bound of the sandbox, not PortOne's


@dataclass(frozen=True, slots=True)
class ChargeRequest:
    """A readable `again` request. Money is whole KRW."""

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


def read(call: Call) -> ChargeRequest:
    """Read the body or refuse it with HTTP 400 [the status was seen, the wordings are assumed].

    `name` may be left out: the Swagger requires it, but charges without one were seen to work. A field that is
    longer than documented is refused [assumed: PGs differ, some cut].
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
    )
    if request.tax_free > request.amount:
        raise Refused(bad_request(texts.TAX_FREE_TOO_MUCH))
    return request


def whole_number(call: Call, name: str) -> int | None:
    """Read a number that may come as JSON or as a form's text; None when left out."""
    value = call.fields.get(name)
    if value is None or value == "":
        return None
    number = _decimal(value)
    if number is None or number < 0:
        raise Refused(bad_request(texts.FIELD_NOT_A_NUMBER.format(field=name)))
    if number != number.to_integral_value():
        raise Refused(bad_request(texts.AMOUNT_NOT_WHOLE))
    return int(number)


def _amount(call: Call) -> int:
    amount = whole_number(call, "amount")
    if amount is None:
        raise Refused(bad_request(texts.FIELD_MISSING.format(field="amount")))
    return amount


def _decimal(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() and abs(number) <= HIGHEST_NUMBER else None


def _limited(call: Call, name: str, limit: int, *, needed: bool = False) -> str | None:
    text = call.text(name)
    if text is None and needed:
        raise Refused(bad_request(texts.FIELD_MISSING.format(field=name)))
    if text is not None and len(text) > limit:
        raise Refused(bad_request(texts.FIELD_TOO_LONG.format(field=name, limit=limit)))
    return text
