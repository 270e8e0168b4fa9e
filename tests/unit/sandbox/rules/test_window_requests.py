"""The parameters of `IMP.request_pay`, and those for which no window opens."""

from __future__ import annotations

import json
from typing import Any

import pytest

from worker.sandbox.rules import window_requests
from worker.sandbox.rules.answers import as_json
from worker.sandbox.rules.providers import Channel, Instrument
from worker.sandbox.rules.window_requests import Use, WindowRefused, from_json, read

CODE = "imp00000000"
PAYMENT = {"pg": "kakaopay", "merchant_uid": "m1", "amount": 9900, "name": "Plan"}
PAYCO = {**PAYMENT, "pg": "payco", "buyer_tel": "010-0000-0000"}
KEY = {"customer_uid": "gildong_0001"}


@pytest.mark.parametrize(
    ("param", "use", "charges"),
    [
        (PAYMENT, Use.PAYMENT, 9900),
        (PAYCO, Use.PAYMENT, 9900),
        ({**PAYMENT, **KEY}, Use.REGISTRATION_WITH_PAYMENT, 9900),  # Kakao Pay charges what it shows
        ({**PAYMENT, **KEY, "amount": 0}, Use.REGISTRATION, 0),
        ({**PAYCO, **KEY}, Use.REGISTRATION, 0),  # PAYCO only shows it
        ({**PAYCO, **KEY, "amount": 0}, Use.REGISTRATION, 0),
    ],
)
def test_use_of_a_window_follows_customer_uid_and_amount(param: dict[str, Any], use: Use, charges: int):
    request = read(CODE, param, mobile=False)
    assert (request.use, request.charges) == (use, charges)


@pytest.mark.parametrize(
    ("named", "channel"),
    [
        ({"pg": "kakaopay"}, Channel("kakaopay", "TCSUBSCRIP", sandbox=True)),
        ({"pg": "kakaopay.TCSUBSCRIP"}, Channel("kakaopay", "TCSUBSCRIP", sandbox=True)),
        ({"pg": "kakaopay.TC0ONETIME"}, Channel("kakaopay", "TC0ONETIME", sandbox=True)),
        ({"pg": "kakaopay.CA0SANDBOX"}, Channel("kakaopay", "CA0SANDBOX", sandbox=False)),
        ({"pg": "payco.AUTOPAY"}, Channel("payco", "AUTOPAY", sandbox=True)),
        ({"pg": "payco.PARTNERTEST"}, Channel("payco", "PARTNERTEST", sandbox=True)),
        ({"channelKey": "channel-key-sandbox-payco"}, Channel("payco", "AUTOPAY", sandbox=True)),
        ({"channelKey": "channel-key-sandbox-payco", "pg": "kakaopay"}, Channel("payco", "AUTOPAY", sandbox=True)),
        ({"pg": None}, Channel("kakaopay", "TCSUBSCRIP", sandbox=True)),  # the default PG
    ],
)
def test_pg_of_a_window_is_named_by_code_by_id_or_by_channel_key(named: dict[str, Any], channel: Channel):
    assert read(CODE, {**PAYCO, **named}, mobile=False).channel == channel


@pytest.mark.parametrize(
    ("changes", "error_code", "words"),
    [
        ({"merchant_uid": None}, "F400", "merchant_uid"),
        ({"merchant_uid": ""}, "F400", "merchant_uid"),
        ({"merchant_uid": 17}, "F400", "merchant_uid"),
        ({"merchant_uid": "m" * 41}, "F400", "40"),
        ({"amount": None}, "F400", "amount"),
        ({"amount": "9900"}, "F400", "정수"),  # a number since March 2024
        ({"amount": 99.5}, "F400", "정수"),
        ({"amount": -1}, "F400", "정수"),
        ({"amount": True}, "F400", "정수"),
        ({"amount": float("nan")}, "F400", "정수"),
        ({"amount": 10**13}, "F400", "정수"),
        ({"amount": 99}, "F0004", "100원"),
        ({"amount": 0}, "F0004", "100원"),  # nothing to pay and no key to make
        ({"tax_free": 9901}, "F400", "tax_free"),
        ({"name": "n" * 41}, "F400", "name"),
        ({"buyer_name": ["x"]}, "F400", "buyer_name"),
        ({"customer_uid": ""}, "F400", "customer_uid"),  # treated as absent, it would charge
        ({"customer_uid": "u" * 81}, "F400", "80"),
        ({"currency": "USD"}, "F400", "통화"),
        ({"pg": "bitcoin"}, "F0004", "bitcoin"),
        ({"pg": "acme"}, "F0004", "acme"),
        ({"pg": "kakaopay.NOBODYS"}, "F0004", "NOBODYS"),
        ({"pg": ["kakaopay"]}, "F0004", "PG"),
        ({"channelKey": "channel-key-of-somebody"}, "F0004", "channel-key-of-somebody"),
        ({"pg": "payco"}, "F400", "buyer_tel"),  # PAYCO insists on it
        ({"pg": "kakaopay.TC0ONETIME", **KEY}, "F0004", "TC0ONETIME"),  # a one-time id makes no keys
    ],
)
def test_window_with_a_bad_parameter_does_not_open(changes: dict[str, Any], error_code: str, words: str):
    with pytest.raises(WindowRefused, match=words) as refused:
        read(CODE, {**PAYMENT, **changes}, mobile=False)
    assert refused.value.error_code == error_code


@pytest.mark.parametrize("code", [None, "", 1, "i" * 41])
def test_window_before_init_does_not_open(code: Any):
    with pytest.raises(WindowRefused, match=r"IMP\.init"):
        read(code, PAYMENT, mobile=False)


@pytest.mark.parametrize("redirect_url", ["https://shop.example/done?x=1", "http://shop.example/done", "", None])
def test_kakao_pay_redirects_on_a_phone_with_or_without_an_address(redirect_url: str | None):
    param = {**PAYMENT, "m_redirect_url": redirect_url}
    assert read(CODE, param, mobile=True).redirects
    assert not read(CODE, param, mobile=False).redirects, "on a PC it is the callback"


@pytest.mark.parametrize("redirect_url", ["/done", "javascript:alert(1)", "data:text/html,x"])
def test_redirect_to_an_invalid_address_is_rejected(redirect_url: str):
    with pytest.raises(WindowRefused, match="m_redirect_url"):
        read(CODE, {**PAYMENT, "m_redirect_url": redirect_url}, mobile=True)


@pytest.mark.parametrize("pg", ["nice", "daou", "ksnet", "kcp", "inicis", "settle"])
def test_registration_at_a_pg_without_key_windows_is_rejected(pg: str):
    with pytest.raises(WindowRefused, match=pg):
        read(CODE, {**PAYMENT, **KEY, "pg": pg}, mobile=False)


@pytest.mark.parametrize(
    ("param", "said"),
    [
        ({"pg": "inicis"}, "inicis"),
        ({"pg": "kcp_billing"}, "kcp_billing"),
        ({"pg": "paypal_v2", **KEY}, "통화"),
        ({"pg": "smartro_v2", "merchant_uid": "a-b"}, "merchant_uid"),
        ({"tax_free": 9000, "vat_amount": 901}, "vat_amount"),
        ({"vat_amount": -1}, "정수"),
        ({"bypass": {"kakaopay": {"payment_method_type": "POINTS"}}}, "payment_method_type"),
        ({"confirm_url": "https://shop.example/confirm"}, "not part of this sandbox"),
        ({"card": {"detail": [{"card_code": "366"}]}}, "not part of this sandbox"),
        ({"display": {"card_quota": [3]}}, "not part of this sandbox"),
    ],
)
def test_window_with_an_unsupported_parameter_does_not_open(param: dict[str, Any], said: str):
    with pytest.raises(WindowRefused, match=said):
        read(CODE, {**PAYMENT, **param}, mobile=False)


def test_payco_registers_without_a_telephone_number():
    assert read(CODE, {**PAYMENT, **KEY, "pg": "payco"}, mobile=False).buyer["buyer_tel"] is None


@pytest.mark.parametrize(("wanted", "kept"), [("CARD", Instrument.CARD), ("MONEY", Instrument.MONEY), (None, None)])
def test_kakao_pay_offers_only_the_instruments_the_merchant_allows(wanted: str | None, kept: Instrument | None):
    param = {**PAYMENT, "bypass": {"kakaopay": {"payment_method_type": wanted}}}
    request = read(CODE, param, mobile=False)
    assert request.instrument is kept
    assert from_json(json.loads(as_json(request.as_json()))) == request


def test_payco_calls_back_on_a_phone_too():
    assert not read(CODE, {**PAYCO, "m_redirect_url": "https://shop.example/"}, mobile=True).redirects


def test_window_request_is_read_back_from_json_unchanged():
    param = {**PAYCO, **KEY, "notice_url": ["https://a.example/", "https://b.example/"], "custom_data": {"a": ["가"]}}
    request = read(CODE, param, mobile=True)
    assert request.custom_data == '{"a":["가"]}'
    assert window_requests.from_json(json.loads(json.dumps(request.as_json()))) == request


def test_buyer_is_not_in_the_window_requests_repr():
    shown = repr(read(CODE, {**PAYCO, **KEY, "buyer_name": "Gildong", "custom_data": "hush"}, mobile=False))
    assert not any(secret in shown for secret in ("gildong_0001", "Gildong", "010-0000", "hush"))
