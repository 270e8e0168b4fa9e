"""Which charge requests the sandbox reads, and which it answers with 400."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.sandbox_requests import call, code_and_status, request
from worker.sandbox.rules.answers import ApiError


@pytest.mark.parametrize(
    "fields",
    [
        {"customer_uid": None},
        {"customer_uid": ""},
        {"merchant_uid": None},
        {"merchant_uid": {"nested": 1}},
        {"amount": None},
        {"amount": ""},
        {"amount": "much"},
        {"amount": -100},
        {"amount": 9900.5},  # KRW has no parts
        {"amount": True},
        {"amount": float("nan")},
        {"amount": "1e400"},
        {"amount": {"total": 9900}},  # the shape of V2
        {"customer_uid": "u" * 81},
        {"merchant_uid": "m" * 41},
        {"name": "n" * 41},
        {"buyer_name": "b" * 17},
        {"buyer_email": "b" * 65},
        {"buyer_tel": "1" * 17},
        {"buyer_addr": "b" * 129},
        {"buyer_postcode": "1" * 9},
        {"tax_free": 9901},  # more than the amount
        {"tax_free": "some"},
        {"vat_amount": -5},
        {"vat_amount": 9901},  # more than the amount
        {"tax_free": 9000, "vat_amount": 901},  # more than the amount together
        {"product_type": "nonsense"},
        {"cash_receipt_type": "somebody"},
        {"product_count": 0},
        {"product_count": "many"},
        {"channel_key": "c" * 56},
        {"interest_free_by_merchant": "perhaps"},
        {"use_card_point": 7},
        {"bypass": "{"},  # text, and that JSON
        {"bypass": {"pg": 1}},
        {"custom_data": ["a list"]},
        {"extra": "naverUseCfm"},
        {"extra": {"naverUseCfm": "2026-01-31"}},
        {"extra": {"naverUseCfm": "20260231"}},
        {"extra[naverUseCfm]": "tomorrow"},  # as a form has it
    ],
)
def test_unreadable_charge_request_is_a_400(fields: dict[str, Any]):
    with pytest.raises(ApiError) as refused:
        request(**fields)
    assert code_and_status(refused.value.answer) == (1, 400)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"amount": "9900"}, {"amount": 9900}),  # a form's text
        ({"amount": 9900.0}, {"amount": 9900}),  # still a whole number
        ({"merchant_uid": 123}, {"merchant_uid": "123"}),
        ({"name": None}, {"name": None}),  # seen to work without
        ({"customer_uid": "u" * 80, "merchant_uid": "m" * 40, "name": "가" * 40}, {"name": "가" * 40}),  # at the limits
        ({"tax_free": 9900}, {"tax_free": 9900}),
        ({"currency": None}, {"currency": "KRW"}),
        ({"vat_amount": 900, "tax_free": 0}, {"vat_amount": 900}),
        ({"vat_amount": 0}, {"vat_amount": 0}),  # none at all is stated too
        ({"product_type": "digital", "product_count": 1}, {"product_type": "digital"}),
        ({"cash_receipt_type": "person", "interest_free_by_merchant": False, "bypass": "{}"}, {"vat_amount": None}),
        ({"extra": {"naverUseCfm": "20260131"}}, {}),
        ({"channel_key": "c" * 55}, {"channel_key": "c" * 55}),
    ],
)
def test_readable_charge_request_is_read(fields: dict[str, Any], expected: dict[str, Any]):
    read = request(**fields)
    assert {name: getattr(read, name) for name in expected} == expected


def test_repr_of_a_charge_request_has_no_personal_data():
    shown = repr(request(buyer_name="Hong", custom_data="private", customer_uid="secretkey")) + repr(call(name="Plan"))
    assert not [each for each in ("Hong", "private", "secretkey") if each in shown]
