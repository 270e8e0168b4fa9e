"""Payment windows that are not opened: for the PG, for a parameter, and with every reason at once."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from tests.support.payment_windows import (
    CUSTOMER_UID,
    PAYMENT,
    REGISTRATION,
    URL,
    WITH_PAYMENT,
    order,
    problems,
    request,
)
from worker.pg.catalog import PGS
from worker.pg.window import InvalidWindow, build
from worker.pg.window.request import Buyer, CallbackUrls, Options, WindowChannel
from worker.pg.window.rules import problems_in


@pytest.mark.parametrize(
    ("pg", "use", "parameter", "words"),
    [
        ("nice_v2", REGISTRATION, "pg", "registers no billing keys in a window"),
        ("kicc", WITH_PAYMENT, "amount", "only registers the key in this window: nothing would be charged"),
        ("welcome", WITH_PAYMENT, "amount", "Whether Welcome Payments charges an amount"),
        ("naverpay", PAYMENT, "pg", "needs what Again does not send yet: naverProducts"),
        ("paypal_v2", PAYMENT, "pg", "takes no KRW"),
        ("inicis", PAYMENT, "pg", "has no window for general payments"),
        ("html5_inicis", PAYMENT, "pay_method", "KG Inicis requires it"),
    ],
)
def test_window_that_a_pg_does_not_have_is_refused(pg, use, parameter, words):
    assert words in problems(request(pg, use))[parameter]


@pytest.mark.parametrize("pg", ["kicc", "welcome"])
def test_undocumented_amount_must_be_zero_for_a_registration(pg):
    assert "give 0" in problems(request(pg, REGISTRATION, amount=100))["amount"]
    assert build(request(pg, REGISTRATION))["amount"] == 0


def test_registration_without_payment_is_charged_by_no_pg():
    for pg in PGS:
        found = problems_in(request(pg, REGISTRATION, amount=14000))
        assert found or PGS[pg].window.keys == "shows", pg


def test_unknown_pg_is_one_problem():
    assert set(problems(request("Kakao Pay"))) == {"pg"}


@pytest.mark.parametrize(
    ("parameter", "changes"),
    [
        ("channelKey", {"channel": WindowChannel(pg="kakaopay", channel_key="c" * 56)}),
        ("channelKey", {"channel": WindowChannel(pg="kakaopay", channel_key="")}),
        ("pg", {"channel": WindowChannel(pg="kakaopay", pg_id="")}),
        ("pg", {"channel": WindowChannel(pg="kakaopay", pg_id="TC SUBSCRIP")}),
        ("pay_method", {"order": order(pay_method="cash")}),
        ("merchant_uid", {"order": order(merchant_uid="o" * 41)}),
        ("merchant_uid", {"order": order(merchant_uid="주문-1")}),
        ("merchant_uid", {"order": order(merchant_uid=1)}),
        ("name", {"order": order(name="n" * 41)}),
        ("name", {"order": order(name="")}),
        ("name", {"order": order(name="emoji \N{PARTY POPPER}")}),
        ("currency", {"order": order(currency="USD")}),
        ("amount", {"order": order(99)}),
        ("amount", {"order": order(2_000_001)}),
        ("amount", {"order": order(True)}),
        ("amount", {"order": order(14000.0)}),
        ("amount", {"order": order(None)}),
        ("tax_free", {"order": order(tax_free=14001)}),
        ("tax_free", {"order": order(tax_free=-1)}),
        ("tax_free", {"order": order(tax_free="0")}),
        ("customer_uid", {"customer_uid": CUSTOMER_UID}),  # it would make a registration of a payment
        ("buyer_name", {"buyer": Buyer(name="n" * 17)}),
        ("buyer_name", {"buyer": Buyer(name="")}),
        ("buyer_name", {"buyer": Buyer(name="Gil\x00dong")}),
        ("buyer_email", {"buyer": Buyer(email="a@" + "b" * 63)}),
        ("buyer_email", {"buyer": Buyer(email="nobody")}),
        ("buyer_tel", {"buyer": Buyer(tel="0" * 17)}),
        ("buyer_tel", {"buyer": Buyer(tel="call me")}),
        ("buyer_tel", {"buyer": Buyer(tel="-")}),
        ("buyer_addr", {"buyer": Buyer(addr="a" * 129)}),
        ("buyer_postcode", {"buyer": Buyer(postcode="1" * 9)}),
        ("m_redirect_url", {"callback_urls": CallbackUrls(m_redirect_url="http://yourservice.com/payments/complete")}),
        ("m_redirect_url", {"callback_urls": CallbackUrls(m_redirect_url="javascript:alert(1)")}),
        ("m_redirect_url", {"callback_urls": CallbackUrls(m_redirect_url="//yourservice.com")}),
        ("m_redirect_url", {"callback_urls": CallbackUrls(m_redirect_url="https://you@yourservice.com/")}),
        ("m_redirect_url", {"callback_urls": CallbackUrls(m_redirect_url="https://yourservice.com/#done")}),
        ("m_redirect_url", {"callback_urls": CallbackUrls(m_redirect_url="https://yourservice.com:x/")}),
        ("m_redirect_url", {"callback_urls": CallbackUrls(m_redirect_url="http://127.0.0.1.evil.com/")}),
        ("m_redirect_url", {"callback_urls": CallbackUrls(m_redirect_url="https://[::1/")}),
        ("notice_url", {"callback_urls": CallbackUrls(m_redirect_url=URL, notice_url="ftp://yourservice.com")}),
        ("notice_url", {"callback_urls": CallbackUrls(m_redirect_url=URL, notice_url=())}),
        ("notice_url", {"callback_urls": CallbackUrls(m_redirect_url=URL, notice_url=(URL, "http://yourservice.com"))}),
        ("app_scheme", {"callback_urls": CallbackUrls(m_redirect_url=URL, app_scheme="my app")}),
        ("customer_id", {"options": Options(customer_id="길동")}),
        ("custom_data", {"options": Options(custom_data={"at": datetime(2026, 1, 1, tzinfo=UTC)})}),
        ("custom_data", {"options": Options(custom_data={"share": float("nan")})}),
        ("custom_data", {"options": Options(custom_data={"tries": (1, 2)})}),
        ("language", {"options": Options(language="kr")}),
        ("kakaopayMobileAsPC", {"options": Options(kakao_mobile_as_pc=json.loads('"yes"'))}),
        ("m_redirect_url", {"callback_urls": CallbackUrls(m_redirect_url="https:///done")}),
        ("m_redirect_url", {"callback_urls": CallbackUrls(m_redirect_url="https://yourservice.com/a b")}),
    ],
)
def test_invalid_parameter_is_the_only_problem(parameter, changes):
    assert set(problems(request(**changes))) == {parameter}


@pytest.mark.parametrize("uid", ["u" * 81, "gil dong", "길동", "", 7])
def test_customer_uid_beyond_80_printable_characters_is_refused_unquoted(uid):
    found = problems(request(use=REGISTRATION, customer_uid=uid))
    assert set(found) == {"customer_uid"}
    assert not uid or str(uid) not in found["customer_uid"].replace("80", "")


def test_taxed_part_bounds_vat_amount():
    assert build(request("nice", order=order(1100, tax_free=1000, vat_amount=100)))["vat_amount"] == 100
    assert set(problems(request("nice", order=order(1100, tax_free=1000, vat_amount=101)))) == {"vat_amount"}


def test_window_with_several_problems_names_them_all():
    buyer = Buyer(email="secret-nobody", name="Secret-Hong Gildong the Second")
    wanted = request("payco", order=order("99", merchant_uid="주문", name=""), buyer=buyer)
    with pytest.raises(InvalidWindow) as raised:
        build(wanted)
    expected = {"amount", "buyer_email", "buyer_name", "buyer_tel", "merchant_uid", "name"}
    assert {problem.parameter for problem in raised.value.problems} == expected
    assert all(problem.sentence in str(raised.value) for problem in raised.value.problems)
    assert "ecret" not in str(raised.value)


def test_reprs_hold_nothing_personal():
    shown = repr(request(use=REGISTRATION, options=Options(customer_id="customer-77", custom_data={"who": "Hong"})))
    for secret in (CUSTOMER_UID, URL, "iamport@siot.do", "010-1234-5678", "Samseong", "customer-77", "Hong"):
        assert secret not in shown
