"""General payments: the seed pages' examples and parameters row by row, for Kakao Pay and PAYCO."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support.payment_windows import DOCUMENTED_PAYMENT, EXAMPLE_BUYER, LINKS, URL, order, problems, request
from worker.pg.window import build, general_payment
from worker.pg.window.request import NO_BUYER, Buyer, CallbackUrls, Options, WindowChannel

# --- Kakao Pay -------------------------------------------------------------------------------------------------------


def test_kakaopay_general_payment_is_the_documented_object():
    built = general_payment(
        WindowChannel(pg="kakaopay"), order(pay_method="card"), buyer=EXAMPLE_BUYER, callback_urls=LINKS
    )
    assert built == {"pg": "kakaopay", "pay_method": "card", **DOCUMENTED_PAYMENT, "m_redirect_url": URL}


def test_kakaopay_pg_is_named_even_if_it_is_the_only_one():
    assert general_payment(WindowChannel(pg="kakaopay"), order(), callback_urls=LINKS)["pg"] == "kakaopay"


def test_kakaopay_pay_method_can_be_omitted():
    assert "pay_method" not in general_payment(WindowChannel(pg="kakaopay"), order(), callback_urls=LINKS)


def test_kakaopay_pay_method_may_be_any_code():
    wanted = request(order=order(pay_method="vbank"))
    assert build(wanted)["pay_method"] == "vbank"


def test_kakaopay_merchant_uid_is_required():
    assert "merchant_uid" in problems(request(order=order(merchant_uid="")))


def test_kakaopay_amount_must_be_an_integer_and_not_a_string():
    assert problems(request(amount="14000")) == {
        "amount": "amount is '14000' but must be an integer, never a text, a fraction or a boolean."
    }


def test_kakaopay_m_redirect_url_is_required():
    assert problems(request(callback_urls=CallbackUrls())) == {
        "m_redirect_url": "m_redirect_url is missing: on a phone the result comes nowhere else."
    }


def test_kakaopay_takes_no_vat_amount_in_its_window():
    assert set(problems(request(order=order(vat_amount=1272)))) == {"vat_amount"}
    assert build(request(order=order(tax_free=4000)))["tax_free"] == 4000


def test_kakaopay_options_have_the_documented_names():
    options = Options(kakao_mobile_as_pc=True, kakao_instrument="MONEY", kakao_message="7월분")
    built = build(request(options=options))
    assert built["kakaopayMobileAsPC"] is True
    assert built["bypass"] == {"kakaopay": {"payment_method_type": "MONEY", "custom_message": "7월분"}}
    assert set(problems(request(options=Options(kakao_instrument="CASH")))) == {"bypass"}
    assert set(problems(request(options=Options(kakao_message="")))) == {"bypass"}


def test_kakaopay_options_are_refused_elsewhere():
    assert set(problems(request("payco", options=Options(kakao_mobile_as_pc=True)))) == {"kakaopayMobileAsPC"}
    assert problems(request("payco", options=Options(kakao_instrument="CARD"))) == {
        "bypass": "PAYCO takes nothing that is meant for kakaopay: leave it out."
    }


def test_kakaopay_needs_nothing_of_the_buyer():
    assert problems(request(buyer=NO_BUYER)) == {}


def test_kakaopay_takes_100_to_2_000_000():
    for amount, is_taken in ((99, False), (100, True), (2_000_000, True), (2_000_001, False)):
        assert (problems(request(amount=amount)) == {}) is is_taken, amount


# --- PAYCO -----------------------------------------------------------------------------------------------------------


def test_payco_general_payment_is_the_documented_object():
    built = general_payment(WindowChannel(pg="payco"), order(), buyer=EXAMPLE_BUYER)
    assert built == {"pg": "payco", **DOCUMENTED_PAYMENT}


def test_payco_pg_is_named_even_if_it_is_the_only_one():
    assert build(request("payco"))["pg"] == "payco"


@pytest.mark.parametrize("code", ["card", "trans", "vbank"])
def test_payco_pay_method_is_card_trans_or_vbank(code):
    assert build(request("payco", order=order(pay_method=code)))["pay_method"] == code


def test_payco_pay_method_is_none_of_the_others():
    assert problems(request("payco", order=order(pay_method="phone"))) == {
        "pay_method": "pay_method is phone but must be card, trans, vbank for PAYCO (payment)."
    }


def test_payco_merchant_uid_is_required():
    assert "merchant_uid" in problems(request("payco", order=order(merchant_uid="")))


def test_payco_buyer_tel_is_required():
    wanted = request("payco", buyer=replace(EXAMPLE_BUYER, tel=None))
    assert problems(wanted) == {"buyer_tel": "buyer_tel is missing: PAYCO requires it."}


def test_payco_amount_must_be_an_integer_and_not_a_string():
    assert set(problems(request("payco", amount="14000"))) == {"amount"}


def test_payco_m_redirect_url_is_optional():
    assert build(request("payco"))["m_redirect_url"] == URL
    assert "m_redirect_url" not in build(request("payco", callback_urls=CallbackUrls()))


def test_payco_alone_knows_popup():
    assert build(request("payco", options=Options(popup=True)))["popup"] is True
    assert build(request("payco", options=Options(popup=False)))["popup"] is False
    assert set(problems(request(options=Options(popup=True)))) == {"popup"}


def test_payco_pay_method_can_be_omitted():
    assert "pay_method" not in build(request("payco"))


def test_payco_needs_nothing_of_the_buyer_but_a_telephone_number():
    assert problems(request("payco", buyer=Buyer(tel="010-1234-5678"))) == {}


def test_payco_takes_100_or_more_without_an_upper_limit():
    assert set(problems(request("payco", amount=99))) == {"amount"}
    assert build(request("payco", amount=100))["amount"] == 100
    assert build(request("payco", amount=9_000_000))["amount"] == 9_000_000


def test_payco_takes_tax_free_and_no_vat_amount_in_its_window():
    assert build(request("payco", order=order(tax_free=4000)))["tax_free"] == 4000
    assert set(problems(request("payco", order=order(vat_amount=1272)))) == {"vat_amount"}


# --- both -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pg", ["kakaopay", "payco"])
def test_general_payment_with_a_customer_uid_is_refused(pg):
    assert set(problems(request(pg, customer_uid="gildong_0001_1234"))) == {"customer_uid"}


@pytest.mark.parametrize("pg", ["kakaopay", "payco"])
def test_general_payment_takes_one_time_and_recurring_contracts(pg):
    for pg_id in {"TC0ONETIME", "TCSUBSCRIP"} if pg == "kakaopay" else {"PARTNERTEST", "AUTOPAY"}:
        assert build(request(pg, channel=WindowChannel(pg=pg, pg_id=pg_id)))["pg"] == f"{pg}.{pg_id}"
