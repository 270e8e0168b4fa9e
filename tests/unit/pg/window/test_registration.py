"""Registering a billing key and nothing else: the seed pages' examples and parameters row by row."""

from __future__ import annotations

from dataclasses import fields

import pytest

from tests.support.payment_windows import (
    CUSTOMER_UID,
    DOCUMENTED_KEY,
    LINKS,
    REGISTRATION,
    SUBSCRIBER,
    SUBSCRIPTION,
    URL,
    WITH_PAYMENT,
    order,
    problems,
    request,
)
from worker.domain.gateway import ChargeRequest, StoredKey
from worker.pg.window import build, registration
from worker.pg.window.request import NO_BUYER, CallbackUrls, WindowChannel
from worker.portone.payloads import again_body

# --- Kakao Pay -------------------------------------------------------------------------------------------------------


def test_kakaopay_subscription_request_is_the_documented_object():
    built = registration(
        WindowChannel(pg="kakaopay"), SUBSCRIPTION, CUSTOMER_UID, buyer=SUBSCRIBER, callback_urls=LINKS
    )
    assert built == {"pg": "kakaopay", **DOCUMENTED_KEY, "m_redirect_url": URL}


def test_kakaopay_amount_zero_registers_the_key_only():
    assert build(request(use=REGISTRATION))["amount"] == 0
    assert "no less than 100" in problems(request(use=WITH_PAYMENT, amount=0))["amount"]


def test_kakaopay_registration_with_an_amount_is_refused():
    sentence = problems(request(use=REGISTRATION, amount=14000))["amount"]
    assert sentence.startswith("amount is 14,000, and Kakao Pay would really charge it")


@pytest.mark.parametrize("use", [REGISTRATION, WITH_PAYMENT])
def test_kakaopay_subscription_pg_is_kakaopay(use):
    assert build(request(use=use))["pg"] == "kakaopay"


@pytest.mark.parametrize("use", [REGISTRATION, WITH_PAYMENT])
def test_kakaopay_customer_uid_is_required(use):
    assert set(problems(request(use=use, customer_uid=None))) == {"customer_uid"}


def test_kakaopay_key_of_a_one_time_channel_is_refused():
    for use in (REGISTRATION, WITH_PAYMENT):
        wanted = request(use=use, channel=WindowChannel(pg="kakaopay", pg_id="TC0ONETIME"))
        assert problems(wanted)["pg"].startswith("TC0ONETIME is for one-time payments: `again` cannot charge a key")
        assert "TCSUBSCRIP" in problems(wanted)["pg"]
    assert build(request(channel=WindowChannel(pg="kakaopay", pg_id="TC0ONETIME")))["pg"] == "kakaopay.TC0ONETIME"


def test_kakaopay_one_time_channel_is_refused_under_a_channel_key_too():
    channel = WindowChannel(pg="kakaopay", pg_id="TC0ONETIME", channel_key="channel-key-0001")
    assert set(problems(request(use=REGISTRATION, channel=channel))) == {"pg"}


def test_kakaopay_further_payments_are_again_requests_by_customer_uid():
    assert_the_documented_again_body("kakaopay")


@pytest.mark.parametrize("use", [REGISTRATION, WITH_PAYMENT])
def test_kakaopay_subscription_merchant_uid_is_required(use):
    assert set(problems(request(use=use, order=order(0 if use is REGISTRATION else 14000, merchant_uid="")))) == {
        "merchant_uid"
    }


@pytest.mark.parametrize("use", [REGISTRATION, WITH_PAYMENT])
def test_kakaopay_subscription_amount_must_be_an_integer_and_not_a_string(use):
    assert set(problems(request(use=use, amount="14000"))) == {"amount"}


@pytest.mark.parametrize("use", [REGISTRATION, WITH_PAYMENT])
def test_kakaopay_subscription_m_redirect_url_is_required(use):
    assert set(problems(request(use=use, callback_urls=CallbackUrls()))) == {"m_redirect_url"}


def test_kakaopay_subscription_needs_nothing_of_the_buyer():
    assert problems(request(use=REGISTRATION, buyer=NO_BUYER)) == {}


@pytest.mark.parametrize("pg_id", ["TCSUBSCRIP", "CA12345678"])
def test_kakaopay_key_of_a_recurring_channel_is_made(pg_id):
    assert build(request(use=REGISTRATION, channel=WindowChannel(pg="kakaopay", pg_id=pg_id)))["pg"].endswith(pg_id)


# --- PAYCO -----------------------------------------------------------------------------------------------------------


def test_payco_subscription_request_is_the_documented_object():
    built = registration(WindowChannel(pg="payco"), SUBSCRIPTION, CUSTOMER_UID, buyer=SUBSCRIBER)
    assert built == {"pg": "payco", **DOCUMENTED_KEY}


def test_payco_amount_is_for_display_only():
    assert build(request("payco", REGISTRATION, amount=14000))["amount"] == 14000
    assert build(request("payco", REGISTRATION, amount=0))["amount"] == 0


def test_payco_subscription_pg_is_payco():
    assert build(request("payco", REGISTRATION))["pg"] == "payco"


def test_payco_customer_uid_is_required():
    assert set(problems(request("payco", REGISTRATION, customer_uid=None))) == {"customer_uid"}


def test_payco_subscription_amount_must_be_an_integer_and_not_a_string():
    assert set(problems(request("payco", REGISTRATION, amount="0"))) == {"amount"}


def test_payco_key_of_a_one_time_channel_is_refused():
    wanted = request("payco", REGISTRATION, channel=WindowChannel(pg="payco", pg_id="PARTNERTEST"))
    assert "AUTOPAY" in problems(wanted)["pg"]


def test_payco_further_payments_are_again_requests_by_customer_uid():
    assert_the_documented_again_body("payco")


def test_payco_pay_method_is_set_by_payco_while_a_key_is_registered():
    assert build(request("payco", REGISTRATION, order=order(0, pay_method="phone")))["pay_method"] == "phone"


def test_payco_displayed_amount_may_exceed_its_limit_but_not_be_negative():
    assert build(request("payco", REGISTRATION, amount=50))["amount"] == 50
    assert set(problems(request("payco", REGISTRATION, amount=-1))) == {"amount"}


def test_payco_subscription_merchant_uid_is_required():
    assert set(problems(request("payco", REGISTRATION, order=order(0, merchant_uid="")))) == {"merchant_uid"}


def test_payco_subscription_m_redirect_url_is_optional():
    assert build(request("payco", REGISTRATION))["m_redirect_url"] == URL
    assert problems(request("payco", REGISTRATION, callback_urls=CallbackUrls())) == {}


def test_payco_key_of_a_recurring_channel_is_made():
    wanted = request("payco", REGISTRATION, channel=WindowChannel(pg="payco", pg_id="AUTOPAY"))
    assert build(wanted)["pg"] == "payco.AUTOPAY"


# --- both: afterwards -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pg", ["kakaopay", "payco"])
def test_customer_uid_is_passed_on_unchanged(pg):
    for uid in ("gildong_0001_1234", "u" * 80, "a.b:c@d"):
        assert build(request(pg, REGISTRATION, customer_uid=uid))["customer_uid"] == uid


def test_billing_key_itself_stays_at_portone():
    """No server can read it (documented): what we are shown and what we send knows its customer_uid alone."""
    assert {field.name for field in fields(StoredKey)} == {"customer_uid", "pg", "card", "registered_at"}
    assert not {field.name for field in fields(ChargeRequest)} & {"billing_key", "card_number", "expiry"}


def assert_the_documented_again_body(pg):
    charge = ChargeRequest(
        customer_uid="your-customer-unique-id",
        merchant_uid="order_id_8237352",
        amount=3000,
        tax_free=0,
        vat_amount=None,
        currency="KRW",
        name="Order name",
        pg=pg,
    )
    documented = {"customer_uid": "your-customer-unique-id", "merchant_uid": "order_id_8237352", "amount": 3000}
    assert again_body(charge) == {**documented, "name": "Order name"}
